import { once } from "node:events";
import { createServer } from "node:net";

import { EXIT, Failure } from "./failure.ts";

/** Below the range that systems use for outgoing connections: one of those could take the port before workerd listens. */
const FREE_PORTS = { from: 20_000, count: 12_000 };
const TRIES = 20;

/**
 * Checks that the server can listen before anything else is started: workerd would report a failure only after a second, and
 * less clearly. Until workerd listens, another program may still take the port; then workerd's own message is shown.
 * @param flag the flag that sets this port.
 * @param taken a port that this server already uses for something else.
 * @returns the port; for 0, a free one.
 */
export async function reservePort(host: string, port: number, flag = "--port", taken?: number): Promise<number> {
  if (port !== 0 && port === taken) {
    throw new Failure(
      `${flag} ${port} is the same port as --port.`,
      `use another port: ${flag} ${port + 1}`,
      EXIT.usage,
    );
  }
  try {
    return port === 0 ? await reserveAny(host, taken) : await reserve(host, port);
  } catch (error) {
    throw explain(error, host, port, flag);
  }
}

async function reserveAny(host: string, taken: number | undefined): Promise<number> {
  for (let tries = 1; tries < TRIES; tries += 1) {
    const port = FREE_PORTS.from + Math.floor(Math.random() * FREE_PORTS.count);
    if (port === taken) continue;
    try {
      return await reserve(host, port);
    } catch (error) {
      if (codeOf(error) !== "EADDRINUSE") throw error;
    }
  }
  return reserve(host, 0);
}

async function reserve(host: string, port: number): Promise<number> {
  const server = createServer();
  await once(server.listen({ host, port }), "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : port;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function explain(error: unknown, host: string, port: number, flag: string): Failure {
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return new Failure(
        `Port ${port} on ${host} is in use by another program.`,
        `stop that program, or use another port: ${flag} ${port + 1} (0 picks a free one)`,
      );
    case "EACCES":
      return new Failure(`This user is not allowed to listen on port ${port}.`, `use a port above 1023: ${flag} 4437`);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new Failure(`${host} is not an address of this machine.`, "--host 127.0.0.1", EXIT.usage);
    default:
      return new Failure(`Cannot listen on ${host}, port ${port}: ${String(error)}`, `use another --host or ${flag}`);
  }
}
