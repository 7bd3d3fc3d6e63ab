import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { LiveClient, type LiveMode } from "../../src/drivers/live-client.ts";
import { LiveWorld } from "../../src/worlds/live-world.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The longest that anything may take: an owner dies without a word, and so does its successor. */
const SETTLED_MS = 12_000;

const which = fc.nat(1_000);
const modes = fc.constantFrom<LiveMode>("sse", "long-poll");
const places = fc.constantFrom("tail", "now", "start", "recent");
const steps = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("append" as const),
      size: fc.constantFrom(1, 5, 300, 70_000),
      isThroughIsolate: fc.boolean(),
      sendsRange: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("open" as const), mode: modes, at: places }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, 10, 40, 250, 1_500, 5_000) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constantFrom("leave", "die", "dieAndReturn", "stall", "resume"), which }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), losesChannels: fc.boolean() }) },
);
type Step = typeof steps extends fc.Arbitrary<infer Value> ? Value : never;
type End = "none" | "close" | "remove";

class Run {
  readonly world: LiveWorld;
  readonly clients: { readonly client: LiveClient; readonly from: number | "now" }[] = [];
  #appends = 0;

  constructor(seed: number, isSharing: boolean) {
    let state = seed;
    const random = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    this.world = new LiveWorld(random, { SHARED_LIVE: isSharing ? "on" : "off" });
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case "append":
        this.world.sendsRanges = step.sendsRange;
        return this.#append(step.size, step.isThroughIsolate);
      case "open":
        return this.#open(step.mode, step.at);
      case "wait":
        await vi.advanceTimersByTimeAsync(step.ms);
        return;
      case "restart":
        return this.world.restart(step.losesChannels);
      case "leave":
      case "die":
      case "dieAndReturn":
      case "stall":
      case "resume": {
        const reading = this.clients.filter(({ client }) => client.isReading);
        const chosen = reading[step.which % Math.max(1, reading.length)];
        chosen?.client[step.do]();
      }
    }
  }

  async finish(end: End): Promise<void> {
    for (const { client } of this.clients) client.resume();
    if (end === "close") await this.world.close();
    else if (end === "remove") await this.world.remove();
    else await this.#append(3, true);
    await vi.advanceTimersByTimeAsync(SETTLED_MS);
  }

  /** All go away, and in time the object and the isolate know nothing of them. */
  async leave(): Promise<void> {
    for (const { client } of this.clients) client.leave();
    await vi.advanceTimersByTimeAsync(SETTLED_MS * 5);
    if (!this.world.isOpen) return;
    // Those that died without a word are forgotten when another reader comes.
    this.#open("sse", "start");
    await vi.advanceTimersByTimeAsync(1_000);
    this.clients.at(-1)?.client.leave();
    await vi.advanceTimersByTimeAsync(SETTLED_MS);
  }

  async #append(size: number, isThroughIsolate: boolean): Promise<void> {
    this.#appends += 1;
    await this.world.append(`<${this.#appends}${"x".repeat(size)}>`, isThroughIsolate);
  }

  #open(mode: LiveMode, at: string): void {
    const { content } = this.world;
    const position = { start: 0, recent: Math.max(0, content.lastIndexOf("<")) }[at] ?? content.length;
    const offset = at === "now" ? "now" : this.world.offsetAt(position);
    // Where `now` is depends on when the request arrives.
    this.clients.push({ client: new LiveClient(this.world, mode, offset), from: at === "now" ? "now" : position });
  }
}

/** What a reader must have been sent. Nobody knows where exactly `now` was. */
function expectedText(content: string, text: string, from: number | "now", isWhole: boolean): string {
  const start = from === "now" ? (isWhole ? content.length - text.length : content.indexOf(text)) : from;
  return isWhole ? content.slice(start) : content.slice(start, start + text.length);
}

const ENDED = { none: undefined, close: "closed", remove: "stream-not-found" } as const;

it.each([true, false])(
  "[SS22] every live reader gets exactly what comes after its offset, in order and once, with shared channels: %s",
  async (isSharing) => {
    const seen = { readers: 0, attachments: 0, none: 0, close: 0, remove: 0 };
    const ends = fc.constantFrom<End>("none", "close", "remove");
    const property = fc.asyncProperty(
      fc.nat(),
      fc.array(steps, { minLength: 5, maxLength: 40 }),
      ends,
      async (seed, all, end) => {
        const run = new Run(seed, isSharing);
        const { world, clients } = run;
        await world.create();
        for (const step of all) await run.take(step);
        await run.finish(end);
        for (const { client, from } of clients) {
          const { text, ended } = client;
          const isWhole = ended !== "left" && end !== "remove";
          expect(text).toBe(expectedText(world.content, text, from, isWhole));
          expect(ended).toBe(ended === "left" ? "left" : ENDED[end]);
          if (ended !== "left") seen[end] += 1;
        }
        seen.readers += clients.length;
        seen.attachments += world.attachments;
        await run.leave();
        expect([world.sockets, end === "none" ? world.hubs.count : 0]).toEqual([0, 0]);
      },
    );
    await assertProperty(`live readers, shared channels: ${isSharing}`, property, 150, () => {
      expect(Math.min(...Object.values(seen))).toBeGreaterThan(20);
    });
  },
);
