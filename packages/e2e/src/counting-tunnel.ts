import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** Passes TCP connections on, and counts them. */
export interface CountingTunnel {
  /** Without a slash at its end. */
  readonly url: string;
  /** Connections since the start. */
  connections(): number;
  /** Breaks all connections that are open, in the middle of whatever they carry; new ones are passed on. */
  cut(): void;
  stop(): void;
}

/** @param target the URL of a server on this machine. */
export async function startCountingTunnel(target: string): Promise<CountingTunnel> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer((incoming) => {
    connections += 1;
    const outgoing = connect({ host: hostname, port: Number(port) });
    for (const [socket, other] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      open.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => open.delete(socket));
      socket.pipe(other);
    }
  });
  server.listen(0, hostname);
  await once(server, "listening");
  return {
    url: `http://${hostname}:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    cut: () => {
      for (const socket of open) socket.destroy();
    },
    stop: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
