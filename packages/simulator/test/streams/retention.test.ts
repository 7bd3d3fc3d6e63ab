import { appendOf, createOf } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { formatOffset, type OffsetRef } from "@durable-streams-cloudflare/protocol";
import { assertProperty } from "@durable-streams-cloudflare/testkit";
import { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";

import { readerOf, readText } from "../../src/drivers/cold-reader.ts";
import { StreamWorld } from "../../src/worlds/stream-world.ts";

const LIMITS = { segmentBytes: 10, segmentBytesMin: 1, segmentAgeSeconds: 1_000 };
const NAME = "p/s";
/** Whatever is due is done by then, and nothing that is due later. */
const SOON_MS = 600_000;

let segments: FakeSegmentStore;
let world: StreamWorld;

beforeEach(() => {
  segments = new FakeSegmentStore();
  world = new StreamWorld({ segments, ...LIMITS });
});

const byBytes = (bytes: number) => createOf({ retention: { seconds: undefined, bytes } });
const bySeconds = (seconds: number) => createOf({ retention: { seconds, bytes: undefined } });

async function fill(count: number, name = NAME): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await world.stream(name).append(appendOf(String.fromCharCode(97 + (index % 26)).repeat(10)));
    await world.fireAlarm(name);
  }
}

function headOf(name = NAME) {
  const head = world.stream(name).head();
  if (!head.ok) throw new Error(head.problem.code);
  return head;
}

function at(position: number, name = NAME): OffsetRef {
  return { kind: "at", incarnation: headOf(name).lineage.incarnation, position };
}

async function textFrom(from?: OffsetRef, name = NAME): Promise<string> {
  return (
    await readText(
      readerOf(name, (of) => world.stream(of), segments),
      from,
    )
  ).text;
}

describe("by bytes", () => {
  it("[RT2] what is left is at least that much, and begins where a segment does", async () => {
    await world.stream(NAME).create(byBytes(25));
    await fill(6);
    expect(headOf()).toMatchObject({ earliest: 30, tail: 60, retention: { bytes: 25 } });
    expect(await textFrom()).toBe("d".repeat(10) + "e".repeat(10) + "f".repeat(10));
    await world.fireAllAlarms(world.nowMs + SOON_MS);
    expect(segments.objects.size).toBe(3);
  });

  it("[RT1] [IN15] offsets before that are 410, and say where to go on; those that survive do not move", async () => {
    await world.stream(NAME).create(byBytes(25));
    await fill(6);
    for (const read of [
      world.stream(NAME).read({ from: at(20), ifNoneMatch: null, paging: "bytes" }),
      world.stream(NAME).attach(at(20)),
    ]) {
      const earliestOffset = formatOffset(headOf().lineage.incarnation, 30);
      expect(read).toMatchObject({
        problem: { code: "offset-trimmed", earliestOffset, headers: { "Stream-Earliest-Offset": earliestOffset } },
      });
    }
    for (const position of [30, 40, 50]) {
      const letters = ["d", "e", "f"].slice(position / 10 - 3);
      expect(await textFrom(at(position))).toBe(letters.map((letter) => letter.repeat(10)).join(""));
    }
  });

  it("a later instance of the object begins at the same position", async () => {
    await world.stream(NAME).create(byBytes(25));
    await fill(6);
    world.crash(NAME);
    expect(headOf()).toMatchObject({ earliest: 30, retention: { bytes: 25 } });
    expect(await textFrom(at(10))).toBe("offset-trimmed");
  });

  it("[RT3] a reader that is overtaken gets an error, and never others' bytes or a gap", async () => {
    await world.stream(NAME).create(byBytes(25));
    await fill(3);
    const { incarnation } = headOf().lineage;
    await fill(3);
    const page = world.stream(NAME).page({ incarnation, from: 0, to: 30, paging: "bytes" });
    expect(page).toMatchObject({ problem: { code: "offset-trimmed" } });
  });
});

describe("by age", () => {
  it("[RT2] a segment is dropped when all of it is old, by an alarm of its own", async () => {
    await world.stream(NAME).create(bySeconds(100));
    await fill(2);
    world.nowMs += 50_000;
    await fill(1);
    await world.fireAllAlarms(world.nowMs + 51_000);
    expect(headOf().earliest).toBe(20);
    expect(await textFrom()).toBe("a".repeat(10));
    await world.fireAllAlarms(world.nowMs + 100_000);
    expect(headOf()).toMatchObject({ earliest: 30, tail: 30 });
    expect(await textFrom()).toBe("");
    await world.stream(NAME).append(appendOf("on"));
    expect(await textFrom()).toBe("on");
    expect(segments.objects.size).toBe(0);
  });
});

describe("forks", () => {
  it("[RT4] keep what they have inherited, also what their source drops; it is deleted when they have gone", async () => {
    await world.stream(NAME).create(byBytes(25));
    await fill(3);
    await world.stream("p/f").create(createOf({ fork: { source: NAME, offset: null, subOffset: 0 } }));
    await fill(4);
    expect(headOf().earliest).toBe(40);
    expect(await textFrom(undefined, "p/f")).toBe("a".repeat(10) + "b".repeat(10) + "c".repeat(10));
    expect(segments.objects.size).toBe(7);
    await world.stream("p/f").remove();
    await world.fireAllAlarms(world.nowMs + SOON_MS);
    expect(segments.objects.size).toBe(3);
  });

  it("begin where their source begins, and are refused before that", async () => {
    await world.stream(NAME).create(byBytes(25));
    await fill(6);
    const place = (position: number) => createOf({ fork: { source: NAME, offset: at(position), subOffset: 0 } });
    expect(await world.stream("p/f").create(place(10))).toMatchObject({ problem: { code: "offset-trimmed" } });
    expect(await world.stream("p/f").create(place(40))).toMatchObject({ ok: true });
    expect(await textFrom(undefined, "p/f")).toBe("d".repeat(10));
    expect(headOf("p/f").retention).toEqual({ seconds: undefined, bytes: undefined });
    expect(await textFrom(at(10), "p/f")).toBe("offset-trimmed");
  });
});

it("[RT5] is part of what a repeated create asks for", async () => {
  await world.stream(NAME).create(byBytes(25));
  expect(await world.stream(NAME).create(byBytes(25))).toMatchObject({ ok: true, created: false });
  expect(await world.stream(NAME).create(byBytes(26))).toMatchObject({ problem: { code: "stream-exists" } });
  expect(await world.stream(NAME).create(createOf())).toMatchObject({ problem: { code: "stream-exists" } });
});

it("[RT5] is refused where nothing can be dropped", async () => {
  const bare = new StreamWorld(LIMITS);
  expect(await bare.stream(NAME).create(byBytes(25))).toMatchObject({ problem: { code: "retention-unavailable" } });
});

it("a crash or a fault while segments are let go of leaves either state, and no object without a row", async () => {
  for (const statement of [/^UPDATE stream SET earliest/, /^DELETE FROM segments/, /^INSERT OR REPLACE INTO garbage/]) {
    const name = `p/${statement.source.length}`;
    await world.stream(name).create(byBytes(25));
    await fill(2, name);
    await world.stream(name).append(appendOf("x".repeat(40)));
    world.host(name).database.failOnce(statement, new Error("disk full"));
    await world.fireAlarm(name);
    expect(world.host(name).reports.at(-1)?.error).toEqual(new Error("disk full"));
    world.crash(name);
    expect(headOf(name).earliest).toBe(0);
    expect(await textFrom(undefined, name)).toHaveLength(60);
    await world.fireAllAlarms(world.nowMs + SOON_MS);
    expect(headOf(name).earliest).toBe(20);
    await world.stream(name).remove();
  }
  await world.fireAllAlarms();
  expect([...segments.objects.keys()]).toEqual([]);
});

it("[IN15] [IN4] whatever is appended, rolled, dropped and restarted, what is left reads as it was written", async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("append"), size: fc.integer({ min: 1, max: 25 }) }),
    fc.record({ kind: fc.constantFrom("fireAlarm", "crash", "wait") }),
  );
  const limit = fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined });
  const plans = fc.tuple(limit, limit, fc.array(step, { maxLength: 40 }));
  const property = fc.asyncProperty(plans, async ([bytes, seconds, steps]) => {
    segments = new FakeSegmentStore();
    world = new StreamWorld({ segments, ...LIMITS });
    await world.stream(NAME).create(createOf({ retention: { bytes, seconds } }));
    let written = "";
    let earliest = 0;
    const offsets = [0];
    for (const current of steps) {
      if (current.kind === "append") {
        const text = Array.from({ length: current.size }, (_, index) =>
          String.fromCharCode(97 + ((written.length + index) % 26)),
        ).join("");
        await world.stream(NAME).append(appendOf(text));
        written += text;
        offsets.push(written.length);
      }
      if (current.kind === "fireAlarm") await world.fireAlarm(NAME);
      if (current.kind === "crash") world.crash(NAME);
      if (current.kind === "wait") world.nowMs += 10_000;
      const head = headOf();
      expect(head.earliest).toBeGreaterThanOrEqual(earliest);
      earliest = head.earliest;
      expect(offsets).toContain(earliest);
      const keptAtLeast = seconds === undefined ? Math.min(bytes ?? Infinity, written.length) : 0;
      expect(written.length - earliest).toBeGreaterThanOrEqual(keptAtLeast);
      expect(await textFrom()).toBe(written.slice(earliest));
      const offset = offsets[(written.length * 7) % offsets.length] ?? 0;
      const expected = offset < earliest ? "offset-trimmed" : written.slice(offset);
      expect(await textFrom(at(offset))).toBe(expected);
    }
    await world.stream(NAME).remove();
    await world.fireAllAlarms();
    expect(segments.objects.size).toBe(0);
  });
  await assertProperty("retention on node:sqlite", property, 150);
});
