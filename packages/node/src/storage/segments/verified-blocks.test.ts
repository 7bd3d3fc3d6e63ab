import { createHash, hash } from "node:crypto";

import { expect, it } from "vitest";

import { VerifiedBlocks } from "./verified-blocks.ts";

/** A block that begins with the SHA-256 of its rest. */
function blockOf(text: string): Uint8Array<ArrayBuffer> {
  const rest = new TextEncoder().encode(text);
  return new Uint8Array([...createHash("sha256").update(rest).digest(), ...rest]);
}

/** Blocks whose digests are counted. */
function countedBlocks(blocksMax?: number) {
  let count = 0;
  const sha256 = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => {
    count += 1;
    return new Uint8Array(hash("sha256", bytes, "buffer"));
  };
  return { blocks: new VerifiedBlocks(blocksMax, sha256), digests: () => count };
}

it("the SHA-256 of a block is computed when it is read for the first time, and not again", () => {
  const { blocks, digests } = countedBlocks();
  const block = blockOf("bytes of a stream");
  expect([blocks.isIntact("a", 0, block), blocks.isIntact("a", 0, block), digests()]).toEqual([true, true, 1]);
  // What was verified stands for its own place only.
  expect([blocks.isIntact("a", 99, block), blocks.isIntact("b", 0, block), digests()]).toEqual([true, true, 3]);
});

it("each damaged bit of a block is found, whether the block was verified before or not", () => {
  const blocks = new VerifiedBlocks();
  const block = blockOf("bytes");
  for (const when of ["before", "after"]) {
    for (let bit = 0; bit < block.length * 8; bit += 1) {
      const damaged = block.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(blocks.isIntact("a", 0, damaged), `bit ${bit}, ${when}`).toBe(false);
    }
    expect(blocks.isIntact("a", 0, block)).toBe(true);
  }
});

it("a deleted segment is forgotten, and so are those that were verified longest ago when there are too many blocks", () => {
  const { blocks, digests } = countedBlocks(4);
  const block = blockOf("bytes");
  for (const key of ["a", "b", "c"]) {
    for (const offset of [0, 99]) blocks.isIntact(key, offset, block);
  }
  expect([blocks.count, digests()]).toEqual([4, 6]);
  blocks.isIntact("b", 0, block);
  expect(digests()).toBe(6);
  blocks.isIntact("a", 0, block);
  expect([blocks.count, digests()]).toEqual([3, 7]);
  blocks.forget("a");
  blocks.forget("a");
  expect(blocks.count).toBe(2);
});
