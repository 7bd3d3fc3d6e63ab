import { refuse, refuseClosed, refuseGap, type Result } from "@durable-streams-cloudflare/protocol";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { AppendCommand, AppendResult } from "../../contracts/stream.ts";
import { EarlyAppends } from "./early-appends.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A stream that knows one producer, and commits what comes one at a time. */
function newStream() {
  const early = new EarlyAppends(() => Date.now());
  const stored: number[] = [];
  let submits = 0;
  const append = (seq: number, bytes = 1): Promise<string> => {
    const producer = { id: "p", epoch: 0, seq };
    const command: AppendCommand = {
      bytes: new Uint8Array(bytes),
      contentType: "text/plain",
      close: false,
      producer,
      mayWait: true,
    };
    const submit = async (): Promise<Result<AppendResult>> => {
      submits += 1;
      const result = seq === stored.length ? accept(seq) : refuseGap(stored.length, seq);
      if (result.ok) stored.push(seq);
      early.settled([command], [result]);
      return result;
    };
    return early.append(command, submit).then((answer) => (answer.ok ? "ok" : answer.problem.code));
  };
  return { append, stored, early, submits: () => submits };
}

function accept(tail: number): Result<AppendResult> {
  return { ok: true, outcome: "appended", lineage: { incarnation: 1, ancestors: [] }, tail, closed: false };
}

it("[PR18] appends that overtook others are stored in their order as soon as those are, each tried at most twice", async () => {
  const { append, stored, submits } = newStream();
  const answers = [4, 2, 3, 1].map((seq) => append(seq));
  await vi.advanceTimersByTimeAsync(400);
  expect(stored).toEqual([]);
  answers.push(append(0));
  expect(await Promise.all(answers)).toEqual(["ok", "ok", "ok", "ok", "ok"]);
  expect(stored).toEqual([0, 1, 2, 3, 4]);
  expect(submits()).toBe(9);
});

it("[PR18] gives up after half a second, however often something before it comes", async () => {
  const { append } = newStream();
  const last = append(5);
  const answered = vi.fn<(answer: string) => void>();
  void last.then(answered);
  for (const seq of [0, 1, 2]) {
    await vi.advanceTimersByTimeAsync(150);
    expect(await append(seq)).toBe("ok");
  }
  expect(answered).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(51);
  expect(answered).toHaveBeenCalledWith("producer-gap");
});

it("holds a bounded number of appends, and of bytes, and forgets what it held", async () => {
  const { append } = newStream();
  const mib = 1024 * 1024;
  const held = Array.from({ length: 8 }, (_, index) => append(index + 1, mib));
  expect(await append(20, 1)).toBe("producer-gap");
  await vi.advanceTimersByTimeAsync(500);
  expect(new Set(await Promise.all(held))).toEqual(new Set(["producer-gap"]));
  const again = append(1, 8 * mib);
  await vi.advanceTimersByTimeAsync(1);
  expect(await append(0)).toBe("ok");
  expect(await again).toBe("ok");
});

it.each([
  ["what is far ahead has lost something", 100, refuseGap(4, 100)],
  ["a stream is closed for good", 6, refuseClosed({ incarnation: 1, ancestors: [] }, 0)],
  ["a stale epoch stays stale", 6, refuse("producer-epoch-stale", "Epoch 2 is newer.")],
])("no waiting: %s", async (_, seq, refusal) => {
  const early = new EarlyAppends(() => Date.now());
  const producer = { id: "p", epoch: 1, seq };
  const command: AppendCommand = { bytes: new Uint8Array(1), contentType: null, close: false, producer, mayWait: true };
  const submit = vi.fn<() => Promise<Result<AppendResult>>>(async () => {
    early.settled([command], [refusal]);
    return refusal;
  });
  expect(await early.append(command, submit)).toBe(refusal);
  expect(submit).toHaveBeenCalledTimes(1);
});
