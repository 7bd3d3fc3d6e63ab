/** Hot, cold, cached and live reads return the same bytes. */
import { assertProperty, patternBytes } from "@durable-streams-cloudflare/testkit";
import { runDurableObjectAlarm } from "cloudflare:test";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { append, evict, problemCode } from "./edge.ts";
import { EventReader } from "./events.ts";
import { Family, type Relative } from "./family.ts";
import { KeepingCache } from "./keeping-cache.ts";

const DAY_MS = 86_400_000;
/** An append or two are enough to go to R2 when they are old. */
const APPEND_BYTES_MAX = 300_000;
const RETENTION = { "Stream-Retention-Bytes": "300000" };

const pattern = Array.from(patternBytes(4 * APPEND_BYTES_MAX), (byte) => String.fromCharCode(97 + (byte % 26))).join(
  "",
);

interface Place {
  readonly position: number;
  readonly offset: string;
}

/** A stream, and what it must hold. */
class Twin {
  readonly stream: Relative;
  readonly cache: KeepingCache;
  /** From position 0 on, also what has gone. */
  text: string;
  readonly places: Place[];

  constructor(stream: Relative, text: string, places: readonly Place[]) {
    this.stream = stream;
    this.cache = new KeepingCache((query, init) => stream.fetch(query, init));
    this.text = text;
    this.places = [...places];
  }

  /** Where the stream begins: 0, until something has gone. */
  async beginning(): Promise<number> {
    const { headers } = await this.stream.fetch("", { method: "HEAD" });
    return positionOf(headers.get("Stream-Earliest-Offset") ?? "0");
  }

  async append(size: number, salt: number): Promise<void> {
    const part = pattern.slice(salt, salt + size);
    const response = await append(this.stream, part);
    if (response.status !== 204) throw new Error(`POST was answered ${response.status}`);
    this.text += part;
    this.places.push({ position: this.text.length, offset: response.headers.get("Stream-Next-Offset") ?? "" });
  }
}

function positionOf(offset: string): number {
  return Number(offset.split("_")[1] ?? "0");
}

/** Reads from an offset to the tail. `undefined` when that place is gone. */
type Path = (twin: Twin, offset: string, tail: string) => Promise<string | undefined>;

async function textOf(response: Response): Promise<string | undefined> {
  if (response.status === 200) return response.text();
  const code = await problemCode(response);
  if (code !== "offset-trimmed") throw new Error(`A read was answered ${response.status}, ${code}.`);
  return undefined;
}

const PATHS: Readonly<Record<string, Path>> = {
  catchUp: async ({ stream }, offset, tail) => {
    const response = await stream.fetch(`?offset=${offset}`);
    const next = response.headers.get("Stream-Next-Offset");
    if (response.ok && next !== tail) throw new Error(`The read ended at ${next}, not at the tail.`);
    return textOf(response);
  },
  longPoll: async ({ stream }, offset) => textOf(await stream.fetch(`?offset=${offset}&live=long-poll`)),
  sse: async ({ stream }, offset) => {
    const response = await stream.fetch(`?offset=${offset}&live=sse`);
    if (!response.ok) return textOf(response);
    const events = new EventReader(response);
    let text = "";
    for (let event = await events.next(); event !== undefined; event = await events.next()) {
      if (event.type === "data") text += event.data;
      else if ((JSON.parse(event.data) as { upToDate?: boolean }).upToDate === true) break;
    }
    await events.cancel();
    return text;
  },
  cached: async ({ cache }, offset, tail) => {
    let text = "";
    let at = offset;
    do {
      // What the cache has may end before the tail; then the next thing is asked for, as a client does.
      const response = await cache.get(`?offset=${at}`);
      const chunk = await textOf(response);
      if (chunk === undefined) return undefined;
      text += chunk;
      at = response.headers.get("Stream-Next-Offset") ?? "";
    } while (at !== tail);
    return text;
  },
};

type Step =
  | { readonly kind: "append"; readonly on: number; readonly size: number; readonly salt: number }
  | { readonly kind: "fork"; readonly on: number; readonly at: number; readonly keepsAll: boolean }
  | { readonly kind: "evict"; readonly on: number }
  /** Days pass: what is old goes to R2, what is too old goes. */
  | { readonly kind: "roll"; readonly on: number }
  | { readonly kind: "read"; readonly on: number; readonly at: number; readonly path: string };

const on = fc.nat({ max: 9 });
const size = fc.oneof(
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 50 }) },
  { weight: 3, arbitrary: fc.integer({ min: 100_000, max: APPEND_BYTES_MAX }) },
);
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("append" as const), on, size, salt: fc.nat({ max: 99_999 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("fork" as const), on, at: on, keepsAll: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("roll" as const), on }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("evict" as const), on }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("read" as const),
      on,
      at: on,
      path: fc.constantFrom(...Object.keys(PATHS)),
    }),
  },
);

/** How often the plans reached what they are for. */
const seen = { gone: 0, hits: 0 };

class Run {
  readonly #family = new Family();
  readonly #twins: Twin[] = [];

  async start(): Promise<void> {
    for (const headers of [{}, RETENTION]) {
      const stream = await this.#family.create(`s${this.#twins.length}`, headers);
      this.#twins.push(new Twin(stream, "", []));
    }
    // Every plan begins with places that are gone: few would get there by themselves.
    for (const salt of [1, 2, 3]) {
      await this.#twin(1).append(APPEND_BYTES_MAX, salt);
      await this.#roll();
    }
  }

  async take(step: Step): Promise<void> {
    const twin = this.#twin(step.on);
    switch (step.kind) {
      case "append":
        return twin.append(step.size, step.salt);
      case "fork":
        return this.#fork(twin, step);
      case "roll":
        return this.#roll();
      case "evict":
        return evict(twin.stream);
      case "read":
        return this.#read(twin, step.at, PATHS[step.path] as Path);
    }
  }

  /** Every stream from every place, by every path; through the cache once before and once after an append. */
  async finish(): Promise<void> {
    for (const twin of this.#twins) {
      await this.#readAll(twin, "cached");
      await twin.append(7, twin.places.length);
      for (const path of Object.keys(PATHS)) await this.#readAll(twin, path);
      if ((await twin.beginning()) > 0) seen.gone += 1;
      seen.hits += twin.cache.hits;
    }
  }

  async #roll(): Promise<void> {
    vi.setSystemTime(Date.now() + 2 * DAY_MS);
    for (const { stream } of this.#twins) await runDurableObjectAlarm(stream.stub());
  }

  async #readAll(twin: Twin, path: string): Promise<void> {
    for (let at = 0; at < twin.places.length; at += 1) await this.#read(twin, at, PATHS[path] as Path);
  }

  #twin(index: number): Twin {
    return this.#twins[index % this.#twins.length] as Twin;
  }

  async #fork(source: Twin, { at, keepsAll }: { at: number; keepsAll: boolean }): Promise<void> {
    const place = source.places[at % source.places.length];
    if (place === undefined || place.position < (await source.beginning())) return;
    const headers = { "Stream-Fork-Offset": place.offset, ...(keepsAll ? {} : RETENTION) };
    const fork = await this.#family.fork(`s${this.#twins.length}`, source.stream, headers);
    const places = source.places.filter(({ position }) => position <= place.position);
    this.#twins.push(new Twin(fork, source.text.slice(0, place.position), places));
  }

  async #read(twin: Twin, at: number, path: Path): Promise<void> {
    const place = twin.places[at % twin.places.length];
    const tail = twin.places.at(-1);
    // At the tail there is nothing to read, and live readers would wait.
    if (place === undefined || tail === undefined || place.position === twin.text.length) return;
    const found = await path(twin, place.offset, tail.offset);
    // A cache may have what the stream has let go of, but nothing else.
    const mayBeGone = place.position < (await twin.beginning());
    const isRight = found === undefined ? mayBeGone : found === twin.text.slice(place.position);
    const isLate = found !== undefined && mayBeGone && path !== PATHS["cached"];
    // The bytes themselves, hundreds of thousands of them, would help nobody.
    if (!isRight || isLate) throw new Error(`Wrong bytes from ${place.offset} to ${tail.offset}.`);
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});

afterEach(() => {
  vi.useRealTimers();
});

it("[IN7] every path gives the same bytes, whatever has been rolled, evicted, trimmed and forked", async () => {
  const property = fc.asyncProperty(
    fc.array(stepArbitrary, { minLength: 20, maxLength: 40, size: "max" }),
    async (plan) => {
      const run = new Run();
      await run.start();
      for (const step of plan) await run.take(step);
      await run.finish();
    },
  );
  await assertProperty("paths", property, 15);
  expect(seen.gone).toBeGreaterThan(0);
  expect(seen.hits).toBeGreaterThan(0);
}, 600_000);
