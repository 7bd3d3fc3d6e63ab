import { afterEach, expect, it, vi } from "vitest";

import { withBreaks } from "./segment-writer.ts";

const KIB = 1024;

afterEach(() => {
  vi.restoreAllMocks();
});

async function* piecesOf(sizes: readonly number[]): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  let next = 0;
  for (const size of sizes) yield Uint8Array.from({ length: size }, () => (next += 1));
}

/** All that comes out, and how many bytes between one break and the next. */
async function take(sizes: readonly number[], isInHaste: boolean): Promise<{ bytes: Buffer; turns: number[] }> {
  const turns = [0];
  vi.spyOn(globalThis, "setTimeout").mockImplementation((callback) => {
    turns.push(0);
    queueMicrotask(callback);
    return 0 as unknown as NodeJS.Timeout;
  });
  const parts: Uint8Array[] = [];
  for await (const part of withBreaks(piecesOf(sizes), () => isInHaste)) {
    parts.push(part);
    turns.push((turns.pop() ?? 0) + part.length);
  }
  return { bytes: Buffer.concat(parts), turns };
}

it("gives the same bytes, with breaks less than 128 KiB apart", async () => {
  const { bytes, turns } = await take([40, 150 * KIB, 70 * KIB, 56], false);
  const whole = Buffer.from(Uint8Array.from({ length: 220 * KIB + 96 }, (_, index) => index + 1));
  expect(bytes.equals(whole)).toBe(true);
  expect(Math.max(...turns)).toBeLessThan(128 * KIB);
});

it("in haste it breaks less often, and never not at all", async () => {
  const { turns } = await take(
    Array.from({ length: 9 }, () => 256 * KIB),
    true,
  );
  expect(turns).toEqual([KIB * KIB, KIB * KIB, 256 * KIB]);
});
