/** A webhook's receiver: takes every wake, and hands out the first. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Wake {
  readonly wake_id: string;
  readonly generation: number;
  readonly callback_url: string;
  readonly callback_token: string;
}

export interface Hook {
  readonly url: string;
  readonly wake: Promise<Wake>;
  stop(): void;
}

/** Listens on any free port of this machine. */
export async function startHook(): Promise<Hook> {
  const first = Promise.withResolvers<Wake>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      first.resolve(JSON.parse(Buffer.concat(chunks).toString()) as Wake);
      response.end("{}");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/hook`, wake: first.promise, stop: () => void server.close() };
}
