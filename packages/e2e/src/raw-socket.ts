/** One exchange over a plain socket: what is written goes out as it is, and nothing is added. */
import { connect } from "node:net";

const LIMIT_MS = 30_000;

export interface SocketExchange {
  /** Any URL of the server; only its host and port count. */
  readonly server: string;
  /** Each character is one byte. Joined by nothing. */
  readonly bytes: string | readonly string[];
  /** When what has come is enough. The exchange also ends when the server closes. */
  readonly until?: (received: string) => boolean;
  /** How the client leaves once everything is written: it stays, sends FIN, or resets the connection. */
  readonly leave?: "stay" | "fin" | "reset";
}

/** @returns what the server sent, each byte as one character. */
export function exchange({ server, bytes, until, leave = "stay" }: SocketExchange): Promise<string> {
  const { hostname, port } = new URL(server);
  return new Promise((resolve, reject) => {
    let received = "";
    const socket = connect(Number(port), hostname, () => {
      socket.write([bytes].flat().join(""), "latin1", () => {
        if (leave === "fin") socket.end();
        if (leave === "reset") socket.resetAndDestroy();
      });
    });
    socket.setTimeout(LIMIT_MS, () => socket.destroy(new Error(`the server was silent after ${received}`)));
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      received += chunk;
      if (until?.(received) === true) socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(received));
  });
}

/** The status of the first response in what has come. */
export function statusIn(received: string): number {
  return Number(/^HTTP\/1\.[01] (\d{3}) /.exec(received)?.[1]);
}
