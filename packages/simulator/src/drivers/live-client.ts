/** Clients of live reads: each keeps what it was sent, and goes on at its offset when a response ends. */

import type { Answer } from "@durable-streams-cloudflare/http/answers/answer";
import { PagedBody } from "@durable-streams-cloudflare/http/answers/paged-body";
import { PushedBody } from "@durable-streams-cloudflare/http/answers/pushed-body";
import { read } from "@durable-streams-cloudflare/http/routes/stream-operations";
import { textOf } from "@durable-streams-cloudflare/testkit";

import { Context, type LiveWorld } from "../worlds/live-world.ts";

export type LiveMode = "sse" | "long-poll";

/** How a client's reading has ended: by the end of the stream, by the code of a problem, or because it went away. */
export type Ended = "closed" | "left" | (string & {});

const RETRY_MS = 50;
/** What a client that has stalled still takes. */
const STALLED_BYTES = 256;

export class LiveClient {
  readonly mode: LiveMode;
  readonly #world: LiveWorld;
  #offset: string;
  #context = new Context();
  #body: PushedBody | undefined;
  #isStalled = false;
  #unread = 0;
  /** Everything that it was sent. */
  text = "";
  ended: Ended | undefined;
  /** The last offset of which it was told that nothing was behind it. */
  upToDateAt: string | undefined;
  requests = 0;

  constructor(world: LiveWorld, mode: LiveMode, offset: string) {
    [this.#world, this.mode, this.#offset] = [world, mode, offset];
    void this.#readOn();
  }

  get isReading(): boolean {
    return this.ended === undefined;
  }

  /** It goes away, and its edge notices. */
  leave(): void {
    this.ended ??= "left";
    this.#context.abort.abort();
    this.#body?.cancel();
  }

  /** Its context dies without a word. */
  die(): void {
    this.ended ??= "left";
    this.#context.die();
  }

  /** Its context dies without a word, and the client connects again. */
  dieAndReturn(): void {
    if (!this.#context.isAlive) return;
    this.#context.die();
    this.#body = undefined;
    setTimeout(() => void this.#readOn(), RETRY_MS);
  }

  stall(): void {
    this.#isStalled = true;
  }

  resume(): void {
    this.#isStalled = false;
    this.#unread = 0;
    this.#body?.pull();
  }

  async #readOn(): Promise<void> {
    if (!this.isReading) return;
    this.requests += 1;
    const context = new Context();
    this.#context = context;
    const url = `http://server/v1/stream/s?live=${this.mode}&offset=${this.#offset}`;
    const handled = await read(this.#world.exchange(context, url));
    if (!context.isAlive || !this.isReading) {
      if (handled.ok && handled.answer.body instanceof PushedBody) handled.answer.body.cancel();
    } else if (!handled.ok) this.ended = handled.problem.code;
    else if (handled.answer.body instanceof PushedBody) this.#follow(handled.answer.body, context);
    else await this.#take(handled.answer, context);
  }

  async #take({ headers, body }: Answer, context: Context): Promise<void> {
    const text = await textOfBody(body);
    // Whoever has connected again by then gets it again.
    if (!context.isAlive || !this.isReading) return;
    this.text += text;
    this.#offset = headers["Stream-Next-Offset"] ?? this.#offset;
    if (headers["Stream-Up-To-Date"] === "true") this.upToDateAt = this.#offset;
    if (headers["Stream-Closed"] === "true") this.ended = "closed";
    else void this.#readOn();
  }

  #follow(body: PushedBody, context: Context): void {
    this.#body = body;
    this.#unread = 0;
    const isOurs = (): boolean => context.isAlive && this.#body === body && this.isReading;
    const next = (): void => {
      if (isOurs()) setTimeout(() => void (isOurs() && this.#readOn()), RETRY_MS);
    };
    const hasRoom = (): boolean => !this.#isStalled || this.#unread < STALLED_BYTES;
    body.start({
      enqueue: (piece) => {
        if (!isOurs()) return;
        this.#unread += piece.length;
        this.#read(textOf(piece));
      },
      get desiredSize() {
        return hasRoom() ? 1_000_000 : 0;
      },
      close: next,
      error: next,
    });
    body.pull();
  }

  /** A piece has whole events: all appends are small enough for that. */
  #read(events: string): void {
    for (const block of events.split("\n\n")) {
      const lines = block.split("\n");
      const data = lines.flatMap((line) => (line.startsWith("data:") ? [line.slice(5)] : [])).join("\n");
      const type = lines
        .find((line) => line.startsWith("event:"))
        ?.slice(6)
        .trim();
      if (type === "data") this.text += data;
      if (type === "control") this.#control(JSON.parse(data) as Control);
      if (type === "problem") this.ended = (JSON.parse(data) as { code: string }).code;
    }
  }

  #control({ streamNextOffset, upToDate, streamClosed }: Control): void {
    this.#offset = streamNextOffset;
    if (upToDate === true) this.upToDateAt = streamNextOffset;
    if (streamClosed === true) this.ended = "closed";
  }
}

interface Control {
  readonly streamNextOffset: string;
  readonly upToDate?: boolean;
  readonly streamClosed?: boolean;
}

async function textOfBody(body: Answer["body"]): Promise<string> {
  if (body === null || typeof body === "string") return body ?? "";
  if (body instanceof Uint8Array) return textOf(body);
  if (!(body instanceof PagedBody)) throw new Error("A long-poll was answered with a body of another kind.");
  let text = "";
  for (let page = await body.next(); page !== undefined; page = await body.next()) text += textOf(page.slice());
  return text;
}
