/** A webhook's receiver: keeps what it is sent, and answers as the test says. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export interface Wake {
  readonly wake_id: string;
  readonly generation: number;
  readonly streams: readonly { readonly path: string; readonly tail_offset: string; readonly has_pending: boolean }[];
  readonly callback_url: string;
  readonly callback_token: string;
}

export interface Delivery {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly wake: Wake;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

export const DONE: Answer = { status: 200, text: '{"done":true}' };

export interface Hook {
  readonly url: string;
  /** All of them, in the order in which they came. */
  readonly deliveries: readonly Delivery[];
  /** What the next ones are answered. */
  answer: (delivery: Delivery) => Answer | Promise<Answer>;
  /** Resolves when there are some that fit. */
  received(fits: (deliveries: readonly Delivery[]) => boolean): Promise<readonly Delivery[]>;
  stop(): void;
}

/** Listens on any free port of this machine. At first it takes every wake, and leaves it at that. */
export async function startHook(): Promise<Hook> {
  const deliveries: Delivery[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const delivery = { headers: request.headers, body, wake: JSON.parse(body.toString()) as Wake };
      deliveries.push(delivery);
      for (const look of waiting) look();
      void Promise.resolve(hook.answer(delivery)).then(({ status, text }) => response.writeHead(status).end(text));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const hook: Hook = {
    url: `http://127.0.0.1:${port}/hook`,
    deliveries,
    answer: () => ({ status: 200, text: "{}" }),
    received: (fits) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!fits(deliveries)) return;
          waiting.delete(look);
          resolve(deliveries);
        };
        waiting.add(look);
        look();
      }),
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return hook;
}

/** How often a wake said that a stream has something new: a wake lists the other streams, too. */
export function countOf(deliveries: readonly Delivery[], path: string): number {
  return deliveries.filter(({ wake }) => wake.streams.some((told) => told.path === path && told.has_pending)).length;
}
