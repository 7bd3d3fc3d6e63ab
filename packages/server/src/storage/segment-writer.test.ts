import { expect, it } from "vitest";

import { withBreaks } from "./segment-writer.ts";

const KIB = 1024;

async function* piecesOf(sizes: readonly number[]): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  let next = 0;
  for (const size of sizes) yield Uint8Array.from({ length: size }, () => (next += 1));
}

/** All that comes out, and how many bytes between one break and the next. */
async function take(sizes: readonly number[], tablesWaiting: number): Promise<{ bytes: Buffer; turns: number[] }> {
  const turns = [0];
  const nextTurn = async (): Promise<void> => void turns.push(0);
  const parts: Uint8Array[] = [];
  for await (const part of withBreaks(piecesOf(sizes), () => tablesWaiting, nextTurn)) {
    parts.push(part);
    turns.push((turns.pop() ?? 0) + part.length);
  }
  return { bytes: Buffer.concat(parts), turns };
}

it("gives the same bytes, with breaks less than 64 KiB apart", async () => {
  const { bytes, turns } = await take([40, 150 * KIB, 70 * KIB, 56], 0);
  const whole = Buffer.from(Uint8Array.from({ length: 220 * KIB + 96 }, (_, index) => index + 1));
  expect(bytes.equals(whole)).toBe(true);
  expect(Math.max(...turns)).toBeLessThan(64 * KIB);
});

it.each([
  { tablesWaiting: 0, largest: 32 * KIB },
  { tablesWaiting: 1, largest: 64 * KIB },
  { tablesWaiting: 3, largest: 256 * KIB },
  { tablesWaiting: 5, largest: KIB * KIB },
  { tablesWaiting: 100, largest: KIB * KIB },
])(
  "hands over $largest bytes between two breaks while $tablesWaiting tables wait",
  async ({ tablesWaiting, largest }) => {
    const { turns } = await take(
      Array.from({ length: 9 }, () => 256 * KIB),
      tablesWaiting,
    );
    expect(Math.max(...turns)).toBe(largest);
  },
);
