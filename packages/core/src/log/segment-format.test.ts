import { assertProperty, concatBytes, patternBytes } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { AuthorRunsSize, decodeAuthors, encodeAuthors } from "./author-runs.ts";
import {
  BLOCK_HEADER_BYTES,
  blockRestBytes,
  boundaryInBlock,
  decodeBlock,
  FOOTER_BYTES,
  HEADER_BYTES,
  INDEX_ENTRY_BYTES,
  SegmentEncoder,
  SegmentError,
  segmentSize,
  storedBytesOf,
  type Block,
} from "./segment-format.ts";

const INCARNATION = 1_800_000_000_000;
const RANGE = { incarnation: INCARNATION, first: 7, last: 2 ** 52 };

function blockOf(sizes: readonly number[], more: Partial<Block> = {}): Block {
  let end = 0;
  const ends = sizes.map((size) => (end += size));
  return { position: 7, continued: false, open: false, ends, payload: patternBytes(end), ...more };
}

/** As many in a row are one run, there are few of them. */
const author = fc.constantFrom("alice", "bob", "ß@example.com", "x".repeat(256), null);

function encode(block: Block) {
  return new SegmentEncoder(RANGE).block(block);
}

describe("a block", () => {
  it("is read back as it was", async () => {
    const arbitrary = fc.record({
      position: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      sizes: fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 }),
      continued: fc.boolean(),
      open: fc.boolean(),
      authors: fc.option(fc.array(author, { minLength: 20, maxLength: 20 }), { nil: undefined }),
    });
    const property = fc.asyncProperty(arbitrary, async ({ position, sizes, continued, open, ...more }) => {
      const authors = more.authors?.slice(0, sizes.length);
      const block = blockOf(sizes, { position, continued, open, authors });
      const bytes = await encode(block);
      const size = new AuthorRunsSize();
      for (const each of authors ?? []) size.add(each);
      expect(bytes.length).toBe(storedBytesOf(block.payload.length, block.ends.length, size.bytes));
      const rest = blockRestBytes(bytes.subarray(0, BLOCK_HEADER_BYTES), INCARNATION, position);
      expect(rest).toBe(bytes.length - BLOCK_HEADER_BYTES);
      expect(await decodeBlock(bytes)).toEqual(block);
    });
    await assertProperty("segment blocks", property, 200);
  });

  it("[TI5] with any bit changed is refused", async () => {
    const bytes = await encode(blockOf([3, 4], { authors: ["alice", null] }));
    for (let index = 0; index < bytes.length; index += 1) {
      const damaged = bytes.slice();
      damaged[index] = (damaged[index] ?? 0) ^ (1 << (index % 8));
      const read = async () => {
        blockRestBytes(damaged.subarray(0, BLOCK_HEADER_BYTES), INCARNATION, 7);
        await decodeBlock(damaged);
      };
      await expect(read()).rejects.toThrow(SegmentError);
    }
  });

  it("[TI5] that is cut short is refused", async () => {
    const bytes = await encode(blockOf([3, 4]));
    for (let length = BLOCK_HEADER_BYTES; length < bytes.length; length += 1) {
      await expect(decodeBlock(bytes.subarray(0, length))).rejects.toThrow(SegmentError);
    }
  });

  it.each([
    { about: "another incarnation of the stream", incarnation: INCARNATION + 1, position: 7 },
    { about: "another position", incarnation: INCARNATION, position: 8 },
  ])("of $about is refused, although it is whole", async ({ incarnation, position }) => {
    const header = (await encode(blockOf([3]))).subarray(0, BLOCK_HEADER_BYTES);
    expect(() => blockRestBytes(header, incarnation, position)).toThrow(SegmentError);
  });

  it("that claims to be larger than any block is refused before memory is allocated for it", async () => {
    for (const at of [56, 60]) {
      const header = (await encode(blockOf([3]))).slice(0, BLOCK_HEADER_BYTES);
      new DataView(header.buffer).setUint32(at, 2 ** 31);
      expect(() => blockRestBytes(header, INCARNATION, 7)).toThrow("too large");
    }
  });

  it("knows the last end of an append up to each position, and whether one ended where it begins", () => {
    const block = blockOf([3, 4]);
    expect([7, 8, 10, 13, 14].map((place) => boundaryInBlock(block, place))).toEqual([7, 7, 10, 10, 14]);
    const continued = { ...block, continued: true };
    expect([7, 9, 10, 14].map((place) => boundaryInBlock(continued, place))).toEqual([undefined, undefined, 10, 14]);
  });
});

describe("a segment", () => {
  async function segmentOf(blocks: readonly Block[]) {
    const encoder = new SegmentEncoder(RANGE);
    const chunks = [encoder.header()];
    for (const block of blocks) chunks.push(await encoder.block(block));
    const end = await encoder.finish();
    return { bytes: concatBytes([...chunks, end]), end };
  }

  it("has the size that its blocks say", async () => {
    const blocks = [blockOf([3, 4]), blockOf([5], { position: 14 })];
    const sizes = blocks.map(({ payload, ends }) => ({
      payloadBytes: payload.length,
      storedBytes: storedBytesOf(payload.length, ends.length),
    }));
    const { bytes } = await segmentOf(blocks);
    expect(bytes.length).toBe(segmentSize(sizes));
    expect(bytes.length).toBe(HEADER_BYTES + 2 * 64 + 3 * 4 + 12 + 2 * INDEX_ENTRY_BYTES + FOOTER_BYTES);
  });

  it("is the same bytes for the same blocks, and has another ending for any other blocks", async () => {
    const one = await segmentOf([blockOf([3, 4])]);
    expect((await segmentOf([blockOf([3, 4])])).bytes).toEqual(one.bytes);
    const other = blockOf([3, 4]);
    other.payload[6] = (other.payload[6] ?? 0) ^ 1;
    expect((await segmentOf([other])).end).not.toEqual(one.end);
    expect((await segmentOf([blockOf([4, 3])])).end).not.toEqual(one.end);
  });

  it("begins and ends as documented: a change here is another version", async () => {
    const { bytes, end } = await segmentOf([blockOf([3, 4])]);
    expect(Buffer.from(bytes.subarray(0, HEADER_BYTES)).toString("hex")).toBe(
      `${Buffer.from("DSSEGMEN").toString("hex")}0000000100000000000001a3185c500000000000000000070010000000000000`,
    );
    expect(Buffer.from(end.subarray(INDEX_ENTRY_BYTES, INDEX_ENTRY_BYTES + 8)).toString()).toBe("DSSEGEND");
    expect(end.length).toBe(INDEX_ENTRY_BYTES + FOOTER_BYTES);
  });
});

it("a run of one author that is longer than its counter goes on in another run", () => {
  const authors = [...Array.from({ length: 70_000 }, () => "alice"), null, "bob"];
  const size = new AuthorRunsSize();
  for (const each of authors) size.add(each);
  const bytes = encodeAuthors(authors);
  expect(bytes.length).toBe(size.bytes);
  expect(bytes.length).toBe(2 * (4 + 5) + 4 + (4 + 3));
  expect(decodeAuthors(bytes)).toEqual(authors);
});

it("only a segment that has authors is of version 2: what was written before stays as it is", async () => {
  expect(new DataView(new SegmentEncoder(RANGE).header().buffer).getUint32(8)).toBe(1);
  expect(new DataView(new SegmentEncoder({ ...RANGE, hasAuthors: true }).header().buffer).getUint32(8)).toBe(2);
  const [without, empty] = [await encode(blockOf([3, 4])), await encode(blockOf([3, 4], { authors: undefined }))];
  expect(without).toEqual(empty);
  expect(without.length).toBe(storedBytesOf(7, 2));
});
