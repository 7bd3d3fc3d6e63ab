import { once } from "node:events";
import { createServer } from "node:net";

import { EXIT, Failure } from "./failure.ts";

/** Below the ports that systems give to outgoing connections: one of those could take it before workerd listens. */
const FREE_PORTS = { from: 20_000, count: 12_000 };
const TRIES = 20;

/**
 * Finds out whether the server can listen, before anything else is started: workerd would say so only after a second,
 * and less clearly. Returns the port, which for 0 is a free one. In the moment until workerd listens, another program
 * may still take it; then workerd's own message has to do.
 * @param flag what says the port.
 * @param taken a port that this server has chosen already, for something else.
 */
export async function reservePort(host: string, port: number, flag = "--port", taken?: number): Promise<number> {
  if (port !== 0 && port === taken) {
    throw new Failure(`${flag} ${port} is the port of --port.`, `take another: ${flag} ${port + 1}`, EXIT.usage);
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
        `Port ${port} on ${host} is taken by another program.`,
        `end it, or take another port: ${flag} ${port + 1} (0 takes any free one)`,
      );
    case "EACCES":
      return new Failure(`This user may not listen on port ${port}.`, `take one above 1023: ${flag} 4437`);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new Failure(`${host} is no address of this machine.`, "--host 127.0.0.1", EXIT.usage);
    default:
      return new Failure(
        `Cannot listen on ${host}, port ${port}: ${String(error)}`,
        `choose another --host or ${flag}`,
      );
  }
}
