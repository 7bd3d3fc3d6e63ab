import { expect, it } from "vitest";

import { MemorySegments } from "./memory-segments.ts";

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (const text of texts) yield new TextEncoder().encode(text);
}

const { signal } = new AbortController();

it("segments in memory are stored once, read in ranges, listed, counted and deleted", async () => {
  const segments = new MemorySegments();
  expect(await segments.put("p/s/1/0", 5, chunks("he", "llo"), signal)).toBe(true);
  expect(await segments.put("p/s/1/0", 5, chunks("other"), signal)).toBe(false);
  await segments.put("p/s/2/0", 1, chunks("x"), signal);
  const range = await segments.get("p/s/1/0", 1, 3);
  expect(await new Response(range).text()).toBe("ell");
  expect([await segments.list("p/s/1/"), segments.bytes]).toEqual([["p/s/1/0"], 6]);
  await segments.delete(["p/s/1/0", "p/none"]);
  expect([await segments.get("p/s/1/0", 0, 5), segments.bytes, await segments.list("p/")]).toEqual([
    undefined,
    1,
    ["p/s/2/0"],
  ]);
});

it("an upload to memory that is too short, aborted or torn leaves nothing", async () => {
  const segments = new MemorySegments();
  await expect(segments.put("k/1", 5, chunks("he"), signal)).rejects.toThrow("A segment of 5 bytes came to 2.");
  await expect(segments.put("k/1", 5, chunks("hello"), AbortSignal.abort(new Error("late")))).rejects.toThrow("late");
  expect([await segments.list("k/"), segments.bytes]).toEqual([[], 0]);
});

it("a range of a segment is a copy, which its reader may take away", async () => {
  const segments = new MemorySegments();
  await segments.put("k/1", 5, chunks("hello"), signal);
  const reader = (await segments.get("k/1", 0, 5))?.getReader({ mode: "byob" });
  const first = await reader?.read(new Uint8Array(5));
  structuredClone(first?.value?.buffer, { transfer: first?.value === undefined ? [] : [first.value.buffer] });
  expect(await new Response(await segments.get("k/1", 0, 5)).text()).toBe("hello");
});
