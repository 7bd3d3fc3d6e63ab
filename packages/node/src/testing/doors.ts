/**
 * Every way to look at a server from outside, over some streams with readers, a session, and two subscriptions. What is not
 * durable yet must not come out of any.
 */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

import type { HeldServer } from "./held-server.ts";
import { Live } from "./live.ts";

const JSON_TYPE = { "Content-Type": "application/json" };
const SOURCES = ["a", "b"] as const;
const SESSION = "me";
const WAKES = "wakes";
const STREAMS = [...SOURCES, SESSION, WAKES];

/** What may be known from outside at some time: how far each stream goes. */
export type Known = ReadonlyMap<string, string>;

/** What a door has shown. */
interface Seen {
  readonly door: string;
  readonly text: string;
}

export class Doors implements AsyncDisposable {
  /** What subscriptions' webhooks were sent. */
  readonly webhooks: string[] = [];
  readonly #server: HeldServer;
  readonly #receiver: Server;
  readonly #live = new Map<string, Live>();

  private constructor(server: HeldServer, receiver: Server) {
    this.#server = server;
    this.#receiver = receiver;
    receiver.on("request", (request, response) => {
      void buffer(request).then((body) => {
        this.webhooks.push(body.toString());
        response.end('{"done":true}');
      });
    });
  }

  static async open(server: HeldServer): Promise<Doors> {
    const receiver = createServer().listen(0, "127.0.0.1");
    await once(receiver, "listening");
    const doors = new Doors(server, receiver);
    for (const stream of [...SOURCES, WAKES]) await server.put(stream, JSON_TYPE);
    for (const source of SOURCES) {
      await doors.#ask("POST", `/v1/estuary/subscribe/${source}`, { estuaryId: SESSION });
    }
    const { port } = receiver.address() as AddressInfo;
    const hook = { type: "webhook", streams: SOURCES, webhook: { url: `http://127.0.0.1:${port}/` } };
    await doors.#ask("PUT", "/v1/stream/__ds/subscriptions/hook", hook);
    const pull = { type: "pull-wake", streams: SOURCES, wake_stream: WAKES };
    await doors.#ask("PUT", "/v1/stream/__ds/subscriptions/pull", pull);
    for (const stream of STREAMS) {
      doors.#live.set(stream, new Live(await fetch(`${server.url(stream)}?offset=-1&live=sse`)));
    }
    return doors;
  }

  /** Holds the disk at a moment when everything is durable. @returns what is known of that. */
  async hold(): Promise<Known> {
    for (;;) {
      this.#server.hold();
      const heads = Promise.all(STREAMS.map((stream) => this.#tailOf(stream)));
      const tails = await Promise.race([heads, this.#server.isHeld()]);
      if (tails !== undefined && !this.#server.hasHeld)
        return new Map(STREAMS.map((name, at) => [name, tails[at] ?? ""]));
      // Something that was under way has written.
      this.#server.release();
      await heads;
    }
  }

  /** Looks through all doors. @returns what they show, as it comes, and when all have been answered. */
  look(known: Known): { readonly seen: readonly Seen[]; readonly answered: Promise<void> } {
    const seen: Seen[] = [];
    const note = (door: string, answer: Promise<string>): Promise<unknown> =>
      answer.then((text) => seen.push({ door, text }));
    const answered = [
      note("directory", this.#ask("GET", "/v1/projects/default/streams")),
      note("links", this.#ask("GET", `/v1/estuary/${SESSION}`)),
      note("status", this.#ask("GET", "/v1/stream/__ds/subscriptions/pull")),
      note("claim", this.#ask("POST", "/v1/stream/__ds/subscriptions/pull/claim", { worker: "w" })),
    ];
    for (const stream of STREAMS) {
      const path = `/v1/stream/${stream}`;
      const tail = `${path}?offset=${known.get(stream)}`;
      answered.push(
        note(`HEAD ${stream}`, this.#ask("HEAD", path)),
        note(`read ${stream}`, this.#ask("GET", tail)),
        note(`whole ${stream}`, this.#ask("GET", path)),
        note(`last ${stream}`, this.#ask("GET", `${path}?last=3`)),
        note(`fork ${stream}`, this.#fork(stream)),
      );
      // Nothing need come after the tail, so nobody waits for these.
      void note(`long-poll ${stream}`, this.#ask("GET", `${tail}&live=long-poll`)).catch(() => undefined);
    }
    return { seen, answered: Promise.all(answered).then(() => undefined) };
  }

  /** What those who were there before have been shown: live readers, and the receiver of webhooks. */
  standing(): readonly Seen[] {
    return [
      ...[...this.#live].map(([stream, { seen }]) => ({ door: `SSE ${stream}`, text: seen })),
      ...this.webhooks.map((text) => ({ door: "webhook", text })),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#receiver.close();
    this.#receiver.closeAllConnections();
  }

  async #tailOf(stream: string): Promise<string> {
    const { headers } = await fetch(this.#server.url(stream), { method: "HEAD" });
    return headers.get("Stream-Next-Offset") ?? "";
  }

  /** Everything of an answer. */
  async #ask(method: string, path: string, body?: object): Promise<string> {
    const response = await fetch(this.#server.server.url + path, {
      method,
      ...(body === undefined ? {} : { headers: JSON_TYPE, body: JSON.stringify(body) }),
    });
    return `${response.status} ${JSON.stringify([...response.headers])} ${await response.text()}`;
  }

  async #fork(stream: string): Promise<string> {
    const name = `fork-${Math.random()}`;
    const made = await this.#server.put(name, { ...JSON_TYPE, "Stream-Forked-From": `/v1/stream/${stream}` });
    return `${made.status} ${await this.#server.text(name)}`;
  }
}

/** @param marks texts that nothing durable has. @returns what shows one of them, or goes beyond what is known. */
export function ofTheFuture(seen: readonly Seen[], known: Known, marks: readonly string[]): readonly Seen[] {
  const tails = [...known.values()];
  const isBeyond = (offset: string): boolean =>
    tails.some((tail) => tail.slice(0, 16) === offset.slice(0, 16) && offset > tail);
  return seen.filter(
    ({ text }) => marks.some((mark) => text.includes(mark)) || (text.match(/\d{16}_\d{16}/g) ?? []).some(isBeyond),
  );
}
