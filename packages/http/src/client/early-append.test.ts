import { refuse, refuseClosed, refuseGap, type Refusal } from "@durable-streams-cloudflare/protocol";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { appendWhenDue } from "./early-append.ts";

type Answer = { readonly ok: true } | Refusal;

const accepted: Answer = { ok: true };
const pauses: number[] = [];

beforeEach(() => {
  pauses.length = 0;
  vi.stubGlobal("setTimeout", (callback: () => void, pauseMs: number) => {
    pauses.push(pauseMs);
    queueMicrotask(callback);
  });
});
afterEach(() => void vi.unstubAllGlobals());

/** @param answers in order; the last one is given again and again. */
async function appendWith(seq: number | undefined, answers: readonly Answer[]) {
  let calls = 0;
  const command = seq === undefined ? {} : { producer: { id: "p", epoch: 1, seq } };
  const answer = await appendWhenDue(command, () =>
    Promise.resolve(answers[Math.min(calls++, answers.length - 1)] ?? accepted),
  );
  return { answer, calls };
}

it("[PR18] an append that arrived before its predecessor is stored as soon as that one is", async () => {
  const early = refuseGap(4, 6);
  expect(await appendWith(6, [early, early, accepted])).toEqual({ answer: accepted, calls: 3 });
});

it("[PR18] so is one that arrived before the first of a new epoch", async () => {
  const early = refuse("producer-epoch-start", "Epoch 1 is new.");
  expect(await appendWith(2, [early, accepted])).toEqual({ answer: accepted, calls: 2 });
});

it("[PR18] gives up after half a second or so", async () => {
  const early = refuseGap(4, 6);
  const { answer, calls } = await appendWith(6, [early]);
  expect(answer).toBe(early);
  expect(calls).toBe(pauses.length + 1);
  expect(pauses.reduce((sum, pause) => sum + pause, 0)).toBe(510);
});

it.each([
  ["what is far ahead has lost something", 100, refuseGap(4, 100)],
  ["a stream is closed for good", 6, refuseClosed({ incarnation: 1, ancestors: [] }, 0)],
  ["a stale epoch stays stale", 6, refuse("producer-epoch-stale", "Epoch 2 is newer.")],
  ["whoever is no producer has no order", undefined, refuseGap(4, 6)],
])("no waiting: %s", async (_, seq, refusal) => {
  expect(await appendWith(seq, [refusal])).toEqual({ answer: refusal, calls: 1 });
});
