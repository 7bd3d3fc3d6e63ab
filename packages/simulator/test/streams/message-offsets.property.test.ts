import type { AppendCommand } from "@durable-streams-cloudflare/core/contracts/stream";
import { appendOf, createOf } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { PushedBody } from "@durable-streams-cloudflare/http/answers/pushed-body";
import { LINE_BYTES_MAX, type Control, type Result } from "@durable-streams-cloudflare/protocol";
import { assertProperty, textOf } from "@durable-streams-cloudflare/testkit";
import { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";
import fc from "fast-check";
import { expect, it, vi } from "vitest";

import { readerOf, type NodeReader } from "../../src/drivers/cold-reader.ts";
import { answerOf, getOf } from "../../src/drivers/edge-reads.ts";
import { StreamWorld } from "../../src/worlds/stream-world.ts";

const JSON_TYPE = "application/json";
const KIB = 1024;

/** Sizes of messages that fit into an event together, alone, and not at all; that fill a page, and a row. */
const size = fc.oneof(
  { weight: 4, arbitrary: fc.noBias(fc.integer({ min: 1, max: 2 * KIB })) },
  { weight: 6, arbitrary: fc.noBias(fc.integer({ min: 5 * KIB, max: 70 * KIB })) },
  { weight: 1, arbitrary: fc.constantFrom(LINE_BYTES_MAX - 1, LINE_BYTES_MAX, 520 * KIB, 1_100 * KIB) },
);
const FILLINGS = ["x", '],["a",', '\\",{', "é€😀", "\\\\"] as const;
type End = "catch-up" | "long-poll" | "sse" | "last-event-id";

interface Plan {
  /** The sizes of an append's messages, and how often they come: many make an append of several pages. */
  readonly appends: readonly { readonly sizes: readonly number[]; readonly times: number }[];
  /** How many messages a fork inherits, as far as there are so many. */
  readonly inherited: number;
  /** How many per cent of each response arrive. */
  readonly cuts: readonly number[];
  readonly end: End;
}

const append = fc.record({
  sizes: fc.noBias(fc.array(size, { minLength: 1, maxLength: 6 })),
  times: fc.constantFrom(1, 6, 12),
});

const plan: fc.Arbitrary<Plan> = fc.record({
  appends: fc.array(append, { minLength: 1, maxLength: 3 }),
  inherited: fc.noBias(fc.nat(30)),
  cuts: fc.noBias(fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 2, maxLength: 5 })),
  end: fc.constantFrom<End[]>("catch-up", "long-poll", "sse", "last-event-id"),
});

/** Text of a message of about so many bytes, with what looks like the end of one inside its strings. */
function messageOf(bytes: number, index: number): string {
  if (bytes < 12) return String(index);
  const filling = FILLINGS[index % FILLINGS.length] ?? "x";
  const text = filling.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  const string = `"${text.repeat(Math.max(1, Math.floor((bytes - 10) / Buffer.byteLength(text))))}"`;
  return index % 3 === 0 ? string : `{"i":[${index},{}],"s":${string}}`;
}

function storedOf(messages: readonly string[], more: Partial<AppendCommand> = {}): AppendCommand {
  return appendOf(messages.map((message) => `${message},`).join(""), { contentType: JSON_TYPE, ...more });
}

interface Made {
  readonly reader: NodeReader;
  readonly messages: readonly string[];
  /** Where appends end. */
  readonly ends: readonly number[];
}

function tailOf(result: Result<{ readonly tail: number }>): number {
  if (!result.ok) throw new Error(result.problem.code);
  return result.tail;
}

interface Kind {
  readonly isCold: boolean;
  readonly isFork: boolean;
}

async function make({ appends, inherited }: Plan, { isCold, isFork }: Kind): Promise<Made> {
  const store = new FakeSegmentStore();
  const cold = isCold ? { segmentBytes: 300 * KIB, segmentBytesMin: 1, segmentAgeSeconds: 1 } : {};
  const world = new StreamWorld({ segments: store, ...cold });
  let made = 0;
  const batches = appends.map(({ sizes, times }) =>
    Array.from({ length: times }, () => sizes.map((bytes) => messageOf(bytes, (made += 1)))).flat(),
  );
  const all = batches.flat();
  const appended = async (name: string, command: AppendCommand): Promise<number> =>
    tailOf(await world.stream(name).append(command));
  await world.stream("p/s").create(createOf({ contentType: JSON_TYPE }));
  const ends: number[] = [];
  for (const messages of batches) ends.push(await appended("p/s", storedOf(messages)));
  const name = isFork ? "p/f" : "p/s";
  const subOffset = isFork ? Math.min(inherited, all.length) : 0;
  if (isFork) {
    const fork = { source: "p/s", offset: { kind: "start" }, subOffset } as const;
    ends.push(tailOf(await world.stream(name).create(createOf({ contentType: null, fork }))));
    for (const messages of batches) ends.push(await appended(name, storedOf(messages)));
  }
  ends.push(await appended(name, { ...storedOf(["0"]), close: true }));
  if (isCold) await world.fireAllAlarms(world.nowMs + 100_000);
  const messages = [...all.slice(0, subOffset), ...all, "0"];
  return { reader: readerOf(name, (of) => world.stream(of), store), messages, ends };
}

interface Event {
  readonly type: string;
  readonly data: readonly string[];
  readonly id: string | undefined;
}

/** Whole events only: what a client that was cut off has. */
function eventsIn(text: string): Event[] {
  const blocks = text.split("\n\n").slice(0, -1);
  const events = blocks.filter((block) => !block.startsWith(":"));
  return events.map((block) => {
    const valuesOf = (field: string): string[] =>
      block.split("\n").flatMap((line) => (line.startsWith(field) ? [line.slice(field.length)] : []));
    return { type: valuesOf("event: ").join(), data: valuesOf("data:"), id: valuesOf("id: ").at(-1) };
  });
}

/** Reads on by SSE: what came, as one text of messages with a comma behind each, and where it ends. */
function taken(text: string, from: string): { stored: string; offset: string } {
  const events = eventsIn(text);
  const data = events.filter(({ type }) => type === "data");
  const lines = data.map(({ data: [line = ""] }) => line);
  expect(data.every((event) => event.data.length === 1)).toBe(true);
  expect(lines.filter((line) => Buffer.byteLength(line) >= 64 * KIB && countIn(line) > 1)).toEqual([]);
  const ids = data.map(({ id }) => id);
  const controls = events
    .filter(({ type }) => type === "control")
    .map((event) => JSON.parse(event.data.join("")) as Control);
  // The last of the data may be cut off from its control, and one at the end has no data before it.
  const offsets = controls.slice(0, ids.length).map(({ streamNextOffset }) => streamNextOffset);
  expect(offsets).toEqual(ids.slice(0, controls.length));
  const early = controls.slice(0, -1).filter(({ upToDate, streamClosed }) => upToDate ?? streamClosed);
  expect(early).toEqual([]);
  return { stored: lines.map((line) => `${line.slice(1, -1)},`).join(""), offset: ids.at(-1) ?? from };
}

function countIn(line: string): number {
  return (JSON.parse(line) as unknown[]).length;
}

async function sse({ reader }: Made, offset: string, isEventSource: boolean, percent = 100): Promise<string> {
  const headers = isEventSource && offset !== "-1" ? { "Last-Event-ID": offset } : {};
  const query = isEventSource ? "offset=-1&live=sse" : `offset=${offset}&live=sse`;
  const bytesMax =
    percent === 100 ? Infinity : Math.floor((percent / 100) * (await getOf(reader, query, headers)).body.length);
  const { status, body } = await getOf(reader, query, headers, bytesMax);
  // An `EventSource` at the end is told so without a body.
  expect([200, 204]).toContain(status);
  return textOf(body);
}

async function rest(made: Made, offset: string, end: End): Promise<string> {
  if (end === "sse" || end === "last-event-id")
    return taken(await sse(made, offset, end === "last-event-id"), offset).stored;
  const live = end === "long-poll" ? "&live=long-poll" : "";
  const text = textOf((await getOf(made.reader, `offset=${offset}${live}`)).body);
  return text === "" || text === "[]" ? "" : `${text.slice(1, -1)},`;
}

const KINDS = [true, false].flatMap((isCold) => [true, false].map((isFork): Kind => ({ isCold, isFork })));

it.each(KINDS)(
  "[SS23] [SS21] [IN7] [EV1] a reader of JSON that is cut off anywhere resumes in any mode, and has each message once, as it was written: %j",
  async (kind) => {
    let resumedInside = 0;
    const property = fc.asyncProperty(plan, async (asked) => {
      const made = await make(asked, kind);
      let offset = "-1";
      let stored = "";
      for (const [index, cut] of asked.cuts.entries()) {
        const read = taken(await sse(made, offset, index % 2 === 1, cut), offset);
        ({ offset } = read);
        stored += read.stored;
        if (offset !== "-1" && !made.ends.includes(Number(offset.slice(17)))) resumedInside += 1;
      }
      stored += await rest(made, offset, asked.end);
      const expected = made.messages.map((message) => `${message},`).join("");
      expect(stored.length).toBe(expected.length);
      expect(stored === expected).toBe(true);
    });
    await assertProperty(`offsets of messages, ${JSON.stringify(kind)}`, property, 6, () => {
      expect(resumedInside).toBeGreaterThan(0);
    });
  },
  600_000,
);

it("[SS14] [SS23] a response whose time is over ends inside a large append of JSON, where a message does", async () => {
  const appends = [{ sizes: [20 * KIB], times: 150 }];
  const kind = { isCold: false, isFork: false };
  const made = await make({ appends, inherited: 0, cuts: [], end: "sse" }, kind);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  try {
    const { body } = await answerOf(made.reader, "offset=-1&live=sse");
    if (!(body instanceof PushedBody)) throw new Error("Server-sent events are pushed.");
    const chunks = body.stream().getReader();
    const first = await chunks.read();
    vi.advanceTimersByTime(600_000);
    let text = textOf(first.value ?? new Uint8Array());
    for (let next = await chunks.read(); !next.done; next = await chunks.read()) text += textOf(next.value);
    const { stored, offset } = taken(text, "-1");
    expect(text.endsWith("\n\n")).toBe(true);
    expect(made.ends).not.toContain(Number(offset.slice(17)));
    const expected = made.messages.map((message) => `${message},`).join("");
    expect(stored + (await rest(made, offset, "catch-up")) === expected).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});
