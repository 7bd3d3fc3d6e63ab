import type { PageCommand, ReadCommand, StreamApi } from "@durable-streams-cloudflare/core/contracts/stream";
import type { Result } from "@durable-streams-cloudflare/protocol";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { SharedReads } from "./shared-reads.ts";
import type { StreamClient } from "./stream-client.ts";

/** Longer than anybody's patience. */
const LONG_MS = 60_000;
const START: ReadCommand = { from: { kind: "start" }, ifNoneMatch: null, paging: "bytes" };
const PAGE: PageCommand = { incarnation: 1, from: 10, to: 30, paging: "bytes" };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Call {
  readonly stream: string;
  readonly command: ReadCommand | PageCommand;
  /** Answers with a place: the stream's tail, or the page's end. */
  answer(place: number): void;
  fail(): void;
}

/** Streams whose objects answer when the test says so. */
function newReads(isSharing = true) {
  const reads = new SharedReads(isSharing);
  const calls: Call[] = [];
  const kept: Promise<unknown>[] = [];
  const newStream = (objectName: string, incarnation?: number): StreamClient => {
    const enter = (command: ReadCommand | PageCommand): Promise<Result<{ tail: number; end: number }>> => {
      const { promise, resolve, reject } = Promise.withResolvers<Result<{ tail: number; end: number }>>();
      const fail = (): void => reject(new Error("the call broke"));
      const answer = (place: number): void => resolve({ ok: true, tail: place, end: place });
      calls.push({ stream: objectName, command, answer, fail });
      return promise;
    };
    const call = (invoke: (stub: StreamApi) => unknown): unknown =>
      invoke({ read: enter, page: enter } as unknown as StreamApi);
    return { objectName, incarnation, call } as unknown as StreamClient;
  };
  const read = async (command = START, stream = newStream("test/stream")): Promise<number | string> => {
    const answer = await reads.read(stream, command, (promise) => void kept.push(promise));
    return answer.ok ? answer.tail : answer.problem.code;
  };
  const page = async (command = PAGE): Promise<number | string> => {
    const answer = await reads.page(newStream("test/stream"), command, (promise) => void kept.push(promise));
    return answer.ok ? answer.end : answer.problem.code;
  };
  return { read, page, newStream, calls, kept };
}

const turns = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

it("two readers wait for nobody; those that come meanwhile share a call that begins after they came", async () => {
  const { read, calls } = newReads();
  const answers = Array.from({ length: 8 }, () => read());
  expect(calls).toHaveLength(2);
  calls[0]?.answer(1);
  await turns();
  expect(calls).toHaveLength(3);
  calls[2]?.answer(2);
  calls[1]?.answer(1);
  await turns();
  expect(calls).toHaveLength(4);
  calls[3]?.answer(3);
  expect(await Promise.all(answers)).toEqual([1, 1, 2, 3, 2, 3, 2, 3]);
  void read();
  expect(calls).toHaveLength(5);
});

it("a reader that comes while a shared call is under way does not get that call's answer", async () => {
  const { read, calls } = newReads();
  const early = [read(), read(), read()];
  calls[0]?.answer(1);
  await turns();
  const late = [read(), read()];
  for (const call of [1, 2]) calls[call]?.answer(call + 1);
  await turns();
  for (const call of [3, 4]) calls[call]?.answer(call + 1);
  expect(await Promise.all(early)).toEqual([1, 2, 3]);
  expect((await Promise.all(late)).every((tail) => Number(tail) > 3)).toBe(true);
});

it.each<{ readonly of: string; readonly command?: Partial<ReadCommand>; readonly stream?: readonly [string, number?] }>(
  [
    { of: "another stream", stream: ["test/other"] },
    { of: "one incarnation of the stream", stream: ["test/stream", 7] },
    { of: "another place", command: { from: { kind: "at", incarnation: 1, position: 2 } } },
    { of: "what comes", command: { from: { kind: "now" } } },
    { of: "what has another tag", command: { ifNoneMatch: '"1:0:1"' } },
    { of: "whole appends", command: { paging: "appends" } },
  ],
)("a reader of $of shares nothing with them", async ({ command, stream = ["test/stream"] }) => {
  const { read, newStream, calls } = newReads();
  for (let count = 0; count < 4; count += 1) void read();
  const other = read({ ...START, ...command }, newStream(...stream));
  expect(calls).toHaveLength(3);
  expect(calls[2]).toMatchObject({ stream: stream[0], command: { ...START, ...command } });
  calls[2]?.answer(9);
  expect(await other).toBe(9);
});

it("when a call breaks, all who share it hear why, and nobody calls again", async () => {
  const { read, calls } = newReads();
  const answers = Array.from({ length: 6 }, () => read().catch(String));
  for (const call of [0, 1]) calls[call]?.answer(call);
  await turns();
  expect(calls).toHaveLength(4);
  calls[2]?.fail();
  calls[3]?.answer(3);
  const broke = "Error: the call broke";
  expect(await Promise.all(answers)).toEqual([0, 1, broke, 3, broke, 3]);
  expect(calls).toHaveLength(4);
});

it("a reader whose leader is gone calls alone after a while, and the next ones lead", async () => {
  const { read, calls } = newReads();
  for (let count = 0; count < 2; count += 1) void read();
  const waiting = [read(), read()];
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(calls).toHaveLength(4);
  for (const alone of [2, 3]) calls[alone]?.answer(alone);
  expect(await Promise.all(waiting)).toEqual([2, 3]);
  void read();
  expect(calls).toHaveLength(5);
});

it("a request leads for so many calls, and then another one does, however many come", async () => {
  const { read, calls, kept } = newReads();
  for (let count = 0; count < 2; count += 1) void read();
  for (let round = 0; round < 40; round += 1) {
    // Two for each flight, so that none runs out of readers.
    for (let count = 0; count < 4; count += 1) void read();
    for (const call of calls.splice(0)) call.answer(round);
    await turns();
  }
  expect(kept).toHaveLength(4);
  await Promise.all(kept.slice(0, 2));
});

it("whoever wants a page of a fixed range joins the call for it that is under way", async () => {
  const { page, calls } = newReads();
  const first = page();
  const others = [
    { ...PAGE, from: 11 },
    { ...PAGE, to: 31 },
    { ...PAGE, incarnation: 2 },
  ].map((other) => page(other));
  const joined = [page(), page()];
  expect(calls).toHaveLength(1 + others.length);
  for (const [index, call] of calls.entries()) call.answer(index);
  expect(await Promise.all([first, ...others, ...joined])).toEqual([0, 1, 2, 3, 0, 0]);
  const later = page();
  expect(calls).toHaveLength(5);
  calls[4]?.answer(4);
  expect(await later).toBe(4);
});

it("when the call for a page breaks, its readers hear why; when its leader is gone, they share another one", async () => {
  const { page, calls } = newReads();
  const broken = [page(), page(), page()].map((each) => each.catch(String));
  calls[0]?.fail();
  expect(new Set(await Promise.all(broken))).toEqual(new Set(["Error: the call broke"]));
  void page();
  const left = [page(), page(), page()];
  await vi.advanceTimersByTimeAsync(10_001);
  expect(calls).toHaveLength(3);
  calls[2]?.answer(4);
  expect(await Promise.all(left)).toEqual([4, 4, 4]);
});

it.each<[string, number, "answer" | "fail"]>([
  ["a fast object", 20, "answer"],
  ["a slow object", 1_500, "answer"],
  ["an object that takes longer than calls are waited for", 12_000, "answer"],
  ["an object that breaks every call", 300, "fail"],
])("%s gets no more calls than without sharing", async (_, callMs, how) => {
  const { read, calls } = newReads();
  const answers: Promise<unknown>[] = [];
  const ended = new Set<Call>();
  for (let ms = 0; ms < 120_000; ms += 50) {
    if (answers.length < 60) answers.push(read().catch(String));
    for (const call of calls.filter((each) => !ended.has(each))) {
      ended.add(call);
      setTimeout(() => call[how](1), callMs);
    }
    await vi.advanceTimersByTimeAsync(50);
  }
  // A reader that has waited for two leaders in vain is answered that there is no answer.
  const possible: unknown[] = how === "fail" ? ["Error: the call broke"] : callMs > 10_000 ? [1, "unavailable"] : [1];
  expect(possible).toEqual(expect.arrayContaining(await Promise.all(answers)));
  expect(calls.length).toBeLessThanOrEqual(60);
});

it("without sharing every reader calls at once", async () => {
  const { read, page, calls, kept } = newReads(false);
  for (let count = 0; count < 3; count += 1) void read();
  for (let count = 0; count < 2; count += 1) void page();
  expect(calls).toHaveLength(5);
  expect(kept).toEqual([]);
});
