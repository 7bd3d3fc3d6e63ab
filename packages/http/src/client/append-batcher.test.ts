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

function newQueue(isSharing = true) {
  const stream = new FakeStream();
  const batcher = new AppendBatcher(isSharing);
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

it("when a call breaks, those that shared it call alone", async () => {
  const { stream, append } = newQueue();
  const first = append(1);
  const [second, third] = [append(2).catch(String), append(3)];
  stream.calls[0]?.answer();
  await turns();
  stream.calls[1]?.fail();
  await turns();
  expect(stream.calls.slice(2).map(({ sizes }) => sizes)).toEqual([[2], [3]]);
  stream.calls[2]?.fail();
  stream.calls[3]?.answer();
  expect([await first, await second, await third]).toEqual([1, "Error: the call broke", 3]);
});

it("nobody waits for ever for a call that does not end, and the next append starts anew", async () => {
  const { stream, append } = newQueue();
  void append(1);
  const second = append(2);
  await vi.advanceTimersByTimeAsync(LONG_MS);
  expect(stream.calls.map(({ sizes }) => sizes)).toEqual([[1], [2]]);
  stream.calls[1]?.answer();
  expect(await second).toBe(2);
  void append(3);
  expect(stream.calls[2]?.sizes).toEqual([3]);
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

it("an append for which the object's queue was full calls alone", async () => {
  const { stream, append } = newQueue();
  const answer = append(1);
  stream.calls[0]?.refuse();
  await turns();
  stream.calls[1]?.answer();
  expect(await answer).toBe(1);
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
