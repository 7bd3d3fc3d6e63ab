/** A log that has grown to a multiple of a segment before the alarm fires becomes several segments of about the same size. */

import type { CreateCommand } from "@durable-streams-cloudflare/core/contracts/stream";
import { segmentsTable } from "@durable-streams-cloudflare/core/log/segment-rows";
import type { Stream } from "@durable-streams-cloudflare/core/stream/stream";
import { rowsOf } from "@durable-streams-cloudflare/core/test/stored-rows";
import { appendOf, createOf, newHost, streamOn, type Host } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";
import { beforeEach, expect, it } from "vitest";

import { readerOf, readText } from "../../src/drivers/cold-reader.ts";

const LIMITS = { segmentBytes: 20, segmentBytesMin: 5, segmentAgeSeconds: 100 };
/** Twelve appends of nine bytes. */
const TEXTS = Array.from({ length: 12 }, (_, index) => `${String(index).padStart(8, "0")};`);
const WHOLE = TEXTS.join("");
/** Five times a segment, cut where appends end. */
const ENDS = [27, 45, 72, 90, 108];

let host: Host;
let store: FakeSegmentStore;

beforeEach(() => {
  host = newHost();
  store = new FakeSegmentStore();
  host.segments = store;
});

/** Before the alarm has fired once. */
async function burst(more: Partial<CreateCommand> = {}): Promise<Stream> {
  const stream = streamOn(host, LIMITS);
  await stream.create(createOf(more));
  for (const text of TEXTS) await stream.append(appendOf(text));
  return stream;
}

async function fireAlarm(stream: Stream): Promise<void> {
  host.nowMs = Math.max(host.nowMs, host.alarmAtMs ?? 0);
  host.alarmAtMs = undefined;
  await stream.alarm();
}

async function contentOf(stream: Stream): Promise<string> {
  return (await readText(readerOf("project/stream", () => stream, store))).text;
}

/** Where the segments end that the index has. */
function indexed(): number[] {
  return rowsOf(host.database, segmentsTable).map(({ last }) => last);
}

it("which end where appends do", async () => {
  const stream = await burst();
  await fireAlarm(stream);
  expect([indexed(), store.objects.size]).toEqual([ENDS, ENDS.length]);
  expect(await contentOf(stream)).toBe(WHOLE);
  expect(await contentOf(streamOn(host, LIMITS))).toBe(WHOLE);
});

it("and none is in the index before all are uploaded, once each", async () => {
  const stream = await burst();
  store.failNext("put", "lost");
  await fireAlarm(stream);
  expect([indexed(), store.objects.size]).toEqual([[], 1]);
  expect(await contentOf(streamOn(host, LIMITS))).toBe(WHOLE);
  await fireAlarm(stream);
  expect([indexed(), store.objects.size]).toEqual([ENDS, ENDS.length]);
  expect(await contentOf(stream)).toBe(WHOLE);
});

it("so that retention keeps hardly more than it should", async () => {
  const stream = await burst({ retention: { seconds: undefined, bytes: 30 } });
  for (let alarms = 0; alarms < 3; alarms += 1) await fireAlarm(stream);
  expect(stream.head()).toMatchObject({ earliest: 72, tail: 108 });
});
