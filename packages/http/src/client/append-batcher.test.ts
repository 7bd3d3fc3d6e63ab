import type { AppendCommand, AppendResult, StreamApi } from "@durable-streams-cloudflare/core/contracts/stream";
import { refuse, type Result } from "@durable-streams-cloudflare/protocol";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { AppendBatcher } from "./append-batcher.ts";
import type { StreamClient } from "./stream-client.ts";

/** Longer than anybody's patience. */
const LONG_MS = 60_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A stream whose object answers when the test says so. */
class FakeStream {
  readonly objectName = "test/stream";
  readonly calls: { readonly sizes: readonly number[]; answer(): void; fail(): void; refuse(): void }[] = [];

  call<Value>(
    invoke: (stub: Pick<StreamApi, "append" | "appendAll">) => Promise<Result<Value>>,
  ): Promise<Result<Value>> {
    return invoke({
      append: async (command) => (await this.#enter([command]))[0] ?? refuse("internal", "no answer"),
      appendAll: (commands) => this.#enter(commands),
    });
  }

  #enter(commands: readonly AppendCommand[]): Promise<Result<AppendResult>[]> {
    const { promise, resolve, reject } = Promise.withResolvers<Result<AppendResult>[]>();
    this.calls.push({
      sizes: commands.map(({ bytes }) => bytes.length),
      answer: () => resolve(commands.map(({ bytes }) => ({ ok: true, ...unwrap(bytes.length) }))),
      fail: () => reject(new Error("the call broke")),
      refuse: () => resolve(commands.map(() => refuse("overloaded", "too much"))),
    });
    return promise;
  }
}

function unwrap(tail: number): AppendResult {
  return { outcome: "appended", lineage: { incarnation: 1, ancestors: [] }, tail, closed: false };
}

function newQueue(isSharing = true, onImpatience?: () => void) {
  const stream = new FakeStream();
  const batcher = new AppendBatcher(isSharing, onImpatience);
  const kept: Promise<unknown>[] = [];
  const append = (size: number): Promise<number | string> => {
    const command = { bytes: new Uint8Array(size), contentType: "text/plain", close: false };
    const answer = batcher.append(stream as unknown as StreamClient, command, (promise) => void kept.push(promise));
    return answer.then((result) => (result.ok ? result.tail : result.problem.code));
  };
  return { stream, append, kept };
}

const turns = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

it("an append that is alone calls at once", async () => {
  const { stream, append } = newQueue();
  const answer = append(1);
  expect(stream.calls.map(({ sizes }) => sizes)).toEqual([[1]]);
  stream.calls[0]?.answer();
  expect(await answer).toBe(1);
});

it("those that come meanwhile share the next call, in order, and each gets its own answer", async () => {
  const { stream, append } = newQueue();
  const answers = [1, 2, 3, 4].map(append);
  expect(stream.calls).toHaveLength(1);
  stream.calls[0]?.answer();
  await turns();
  expect(stream.calls.map(({ sizes }) => sizes)).toEqual([[1], [2, 3, 4]]);
  stream.calls[1]?.answer();
  expect(await Promise.all(answers)).toEqual([1, 2, 3, 4]);
  void append(5);
  expect(stream.calls[2]?.sizes).toEqual([5]);
});

it("a call carries a bounded number of bytes", async () => {
  const { stream, append } = newQueue();
  const size = 1.5 * 1024 * 1024;
  for (let count = 0; count < 5; count += 1) void append(size);
  stream.calls[0]?.answer();
  await turns();
  expect(stream.calls[1]?.sizes).toEqual([size, size]);
});

it("when a call breaks, its halves are sent one after the other, and what breaks every call stands alone at the end", async () => {
  const { stream, append } = newQueue();
  const sizes = [1, 2, 3, 4, 5];
  const answers = sizes.map((size) => append(size).catch(String));
  stream.calls[0]?.answer();
  await turns();
  for (let call = 1; call < stream.calls.length; call += 1) {
    const underWay = stream.calls[call];
    if (underWay?.sizes.includes(4)) underWay.fail();
    else underWay?.answer();
    await turns();
  }
  expect(stream.calls.map((call) => call.sizes)).toEqual([[1], [2, 3, 4, 5], [2, 3], [4, 5], [4], [5]]);
  expect(await Promise.all(answers)).toEqual([1, 2, 3, "Error: the call broke", 5]);
});

it("a call that takes too long counts as gone, and what waits for it goes together in one call", async () => {
  const onImpatience = vi.fn<() => void>();
  const { stream, append, kept } = newQueue(true, onImpatience);
  void append(1);
  const others = [2, 3, 4].map(append);
  await vi.advanceTimersByTimeAsync(9_999);
  expect(stream.calls.map(({ sizes }) => sizes)).toEqual([[1]]);
  await vi.advanceTimersByTimeAsync(2);
  expect(stream.calls.map(({ sizes }) => sizes)).toEqual([[1], [2, 3, 4]]);
  expect([onImpatience.mock.calls.length, kept.length]).toEqual([1, 2]);
  stream.calls[1]?.answer();
  expect(await Promise.all(others)).toEqual([2, 3, 4]);
  // The leader was only slow: it has nothing left to do.
  stream.calls[0]?.answer();
  await Promise.all(kept);
  expect(stream.calls).toHaveLength(2);
});

/** How an object behaves, and how long its calls take. */
it.each<[string, number, "answer" | "refuse" | "fail", number]>([
  ["a fast object", 20, "answer", 60],
  ["a slow object", 550, "answer", 60],
  ["an object on another continent that is cold", 1_500, "answer", 60],
  ["an object that takes longer than calls are waited for", 12_000, "answer", 60],
  ["an overloaded object", 100, "refuse", 60],
  ["an object that breaks every call", 300, "fail", 60],
])("%s gets no more calls, and no append more often, than without sharing", async (_, callMs, how, appends) => {
  const { stream, append } = newQueue();
  const answers: Promise<unknown>[] = [];
  const ended = new Set<object>();
  const settle = (): void => {
    for (const call of stream.calls.filter((each) => !ended.has(each))) {
      ended.add(call);
      setTimeout(() => call[how](), callMs);
    }
  };
  for (let ms = 0; ms < 240_000; ms += 50) {
    if (answers.length < appends) answers.push(append(answers.length).catch(String));
    settle();
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(new Set((await Promise.all(answers)).map((answer) => typeof answer)).size).toBe(1);
  expect(stream.calls.length).toBeLessThanOrEqual(appends);
  const carried = stream.calls.reduce((sum, { sizes }) => sum + sizes.length, 0);
  // A call that broke says nothing of what it carried: that is sent again, in halves.
  expect(how === "fail" || carried === appends).toBe(true);
});

it("an append that is in a call under way is never sent a second time; without an answer, its fate is unknown", async () => {
  const { stream, append } = newQueue();
  const first = append(1);
  const second = append(2);
  stream.calls[0]?.answer();
  await turns();
  expect(stream.calls.map(({ sizes }) => sizes)).toEqual([[1], [2]]);
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(stream.calls).toHaveLength(2);
  expect([await first, await second]).toEqual([1, "unavailable"]);
  // The leader is taken for dead: the next append leads.
  void append(3);
  expect(stream.calls[2]?.sizes).toEqual([3]);
});

it("a request leads for a few seconds at the most: it may be ended soon after its own answer", async () => {
  const { stream, append, kept } = newQueue();
  void append(1);
  for (let call = 0; kept.length === 1; call += 1) {
    void append(call + 2);
    await vi.advanceTimersByTimeAsync(900);
    stream.calls[call]?.answer();
    await turns();
  }
  expect(stream.calls.length).toBeLessThan(10);
});

it("an append for which the object's queue was full hears of it at once", async () => {
  const { stream, append } = newQueue();
  const answer = append(1);
  stream.calls[0]?.refuse();
  expect(await answer).toBe("overloaded");
  expect(stream.calls).toHaveLength(1);
});

it("the request that makes the calls asks the runtime to let it finish, because others wait for it", async () => {
  const { stream, append, kept } = newQueue();
  for (const size of [1, 2, 3]) void append(size);
  expect(kept).toHaveLength(1);
  stream.calls[0]?.answer();
  await turns();
  stream.calls[1]?.answer();
  expect(await kept[0]).toBeUndefined();
  void append(4);
  expect(kept).toHaveLength(2);
});

it("another request makes the calls after a while, and what waits for the earlier one is not lost", async () => {
  const { stream, append, kept } = newQueue();
  const answers = [append(0)];
  for (let call = 0; kept.length === 1; call += 1) {
    answers.push(append(call + 1));
    stream.calls[call]?.answer();
    await turns();
  }
  for (const call of stream.calls) call.answer();
  await turns();
  for (const call of stream.calls) call.answer();
  expect(await Promise.all(answers)).toEqual(Array.from(answers, (_, index) => index));
  expect(await Promise.all(kept)).toEqual([undefined, undefined]);
  const calls = stream.calls.length;
  void append(1);
  expect(stream.calls).toHaveLength(calls + 1);
});

it("more than may wait for one call do not wait: the next one begins calls of its own", async () => {
  const { stream, append } = newQueue();
  const count = 500;
  const answers = Array.from({ length: count }, () => append(1));
  const underWay = stream.calls.length;
  expect(underWay).toBeGreaterThan(1);
  for (const call of stream.calls.slice(0, underWay)) call.answer();
  await turns();
  for (const call of stream.calls.slice(underWay)) call.answer();
  expect(await Promise.all(answers)).toHaveLength(count);
  expect(stream.calls.flatMap(({ sizes }) => sizes)).toHaveLength(count);
});

it("with sharing switched off each append calls at once", () => {
  const { stream, append, kept } = newQueue(false);
  for (const size of [1, 2, 3]) void append(size);
  expect(stream.calls.map(({ sizes }) => sizes)).toEqual([[1], [2], [3]]);
  expect(kept).toEqual([]);
});
