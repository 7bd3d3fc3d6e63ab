/**
 * The bytes of a cold segment; `docs/segment-format.md` is the same in words. Numbers are big-endian.
 *
 *     segment  header, blocks, index, footer
 *     header   magic, version, incarnation, first and last position
 *     block    SHA-256 of the rest, then magic, flags, incarnation, position, sizes, the ends of its appends, payload, authors
 *     index    one entry per block: its payload's size, its own size, its SHA-256
 *     footer   magic, size of the whole, number of blocks, SHA-256 of header, index and footer
 *
 * A block can be read and verified without anything else of the segment, so a read begins wherever it needs to. The same
 * rows always give the same bytes. Nothing here is ever given a new meaning: another layout is another version.
 */

import type { Authors } from "../contracts/authors.ts";
import { concatBytes } from "../kit/bytes.ts";
import { decodeAuthors, encodeAuthors } from "./author-runs.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const VERSION = 1;
/** Some block says who wrote its appends. */
const VERSION_WITH_AUTHORS = 2;
const SEGMENT_MAGIC = 0x4453_5345_474d_454en; // DSSEGMEN
const BLOCK_MAGIC = 0x4453_4231; // DSB1
const FOOTER_MAGIC = 0x4453_5345_4745_4e44n; // DSSEGEND

const NONE: Bytes = new Uint8Array();

export const HEADER_BYTES = 40;
export const BLOCK_HEADER_BYTES = 64;
export const INDEX_ENTRY_BYTES = 40;
export const FOOTER_BYTES = 56;
const DIGEST_BYTES = 32;

/** A block takes whole rows up to this many bytes; one row alone may have more. */
export const BLOCK_BYTES = 256 * 1024;
/** Bytes of a block's payload: one row (`ROW_BYTES_MAX`). */
const PAYLOAD_BYTES_MAX = 1024 * 1024;
/** The most appends that end in one block: however small they are, a block's header stays small compared with a page. */
export const BLOCK_ENDS_MAX = 16_384;

const FLAG_CONTINUED = 1;
const FLAG_OPEN = 2;
/** The rest of the flags' 32 bits: bytes of authors, none in version 1. */
const AUTHORS_SHIFT = 8;
/** Bytes of a block's authors: a row's stay far below it. */
const BLOCK_AUTHORS_BYTES_MAX = 512 * 1024;

/** What a segment holds: bytes `[first, last)` of one incarnation of a stream. */
export interface SegmentRange {
  readonly incarnation: number;
  readonly first: number;
  readonly last: number;
  /** Whether it is known who wrote the appends. */
  readonly hasAuthors?: boolean;
}

export interface Block {
  /** Of the payload's first byte. */
  readonly position: number;
  /** The payload begins inside an append. */
  readonly continued: boolean;
  /** The payload ends inside an append. */
  readonly open: boolean;
  /** Where appends end, relative to `position`: growing, from 1 to the payload's length. */
  readonly ends: readonly number[];
  readonly payload: Bytes;
  /** Who wrote each append, if that was recorded. */
  readonly authors?: Authors | undefined;
}

/** How many bytes of payload a block has, and how many it takes in the object. */
export interface BlockSizes {
  readonly payloadBytes: number;
  readonly storedBytes: number;
}

interface IndexEntry extends BlockSizes {
  readonly digest: Bytes;
}

/** Thrown by whatever reads a segment: the bytes are damaged, truncated, or not a segment. */
export class SegmentError extends Error {
  override readonly name = "SegmentError";
}

export function storedBytesOf(payloadBytes: number, ends: number, authorsBytes = 0): number {
  return BLOCK_HEADER_BYTES + 4 * ends + payloadBytes + authorsBytes;
}

/** The size of a segment with such blocks, in bytes. */
export function segmentSize(blocks: readonly BlockSizes[]): number {
  const stored = blocks.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
  return HEADER_BYTES + stored + blocks.length * INDEX_ENTRY_BYTES + FOOTER_BYTES;
}

/** Encodes a segment step by step: `header`, each block in order, `finish`. */
export class SegmentEncoder {
  readonly #range: SegmentRange;
  readonly #entries: IndexEntry[] = [];

  constructor(range: SegmentRange) {
    this.#range = range;
  }

  header(): Bytes {
    const header = new Uint8Array(HEADER_BYTES);
    const view = new DataView(header.buffer);
    view.setBigUint64(0, SEGMENT_MAGIC);
    view.setUint32(8, this.#range.hasAuthors === true ? VERSION_WITH_AUTHORS : VERSION);
    view.setBigUint64(16, BigInt(this.#range.incarnation));
    view.setBigUint64(24, BigInt(this.#range.first));
    view.setBigUint64(32, BigInt(this.#range.last));
    return header;
  }

  async block({ position, continued, open, ends, payload, authors }: Block): Promise<Bytes> {
    const writers = authors === undefined ? NONE : encodeAuthors(authors);
    const bytes = new Uint8Array(storedBytesOf(payload.length, ends.length, writers.length));
    const view = new DataView(bytes.buffer);
    view.setUint32(32, BLOCK_MAGIC);
    const flags = (continued ? FLAG_CONTINUED : 0) | (open ? FLAG_OPEN : 0);
    view.setUint32(36, writers.length * 2 ** AUTHORS_SHIFT + flags);
    view.setBigUint64(40, BigInt(this.#range.incarnation));
    view.setBigUint64(48, BigInt(position));
    view.setUint32(56, payload.length);
    view.setUint32(60, ends.length);
    for (const [index, end] of ends.entries()) view.setUint32(BLOCK_HEADER_BYTES + 4 * index, end);
    bytes.set(payload, BLOCK_HEADER_BYTES + 4 * ends.length);
    bytes.set(writers, BLOCK_HEADER_BYTES + 4 * ends.length + payload.length);
    const digest = await sha256(bytes.subarray(DIGEST_BYTES));
    bytes.set(digest);
    this.#entries.push({ payloadBytes: payload.length, storedBytes: bytes.length, digest });
    return bytes;
  }

  /** The index and the footer. */
  async finish(): Promise<Bytes> {
    const indexBytes = this.#entries.length * INDEX_ENTRY_BYTES;
    const bytes = new Uint8Array(indexBytes + FOOTER_BYTES);
    const view = new DataView(bytes.buffer);
    for (const [index, { payloadBytes, storedBytes, digest }] of this.#entries.entries()) {
      view.setUint32(index * INDEX_ENTRY_BYTES, payloadBytes);
      view.setUint32(index * INDEX_ENTRY_BYTES + 4, storedBytes);
      bytes.set(digest, index * INDEX_ENTRY_BYTES + 8);
    }
    view.setBigUint64(indexBytes, FOOTER_MAGIC);
    view.setBigUint64(indexBytes + 8, BigInt(segmentSize(this.#entries)));
    view.setBigUint64(indexBytes + 16, BigInt(this.#entries.length));
    const signed = bytes.subarray(0, indexBytes + FOOTER_BYTES - DIGEST_BYTES);
    bytes.set(await sha256(concatBytes([this.header(), signed])), signed.length);
    return bytes;
  }
}

/**
 * How many bytes of a block follow its header.
 * @throws SegmentError when this is not the block of the incarnation at the position.
 */
export function blockRestBytes(header: Bytes, incarnation: number, position: number): number {
  const view = viewOf(header);
  const payloadBytes = view.getUint32(56);
  const ends = view.getUint32(60);
  const authorsBytes = view.getUint32(36) >>> AUTHORS_SHIFT;
  if (view.getUint32(32) !== BLOCK_MAGIC) throw new SegmentError("No block begins at this position.");
  if (view.getBigUint64(40) !== BigInt(incarnation)) throw new SegmentError("The block belongs to another stream.");
  if (view.getBigUint64(48) !== BigInt(position)) throw new SegmentError("The block belongs to another position.");
  if (payloadBytes > PAYLOAD_BYTES_MAX || ends > BLOCK_ENDS_MAX || authorsBytes > BLOCK_AUTHORS_BYTES_MAX)
    throw new SegmentError("The block is too large.");
  return 4 * ends + payloadBytes + authorsBytes;
}

/** Whether a block begins with the SHA-256 of its rest. */
export function hasChecksum(block: Bytes, sha256Of: (bytes: Bytes) => Bytes): boolean {
  return isChecksum(block, sha256Of(block.subarray(DIGEST_BYTES)));
}

/**
 * Verifies and takes apart a whole block. The payload is a view of the bytes given.
 * @param isIntact says whether the block begins with the SHA-256 of its rest.
 * @throws SegmentError when the checksum says that a bit is not what it was.
 */
export async function decodeBlock(
  bytes: Bytes,
  isIntact: (block: Bytes) => boolean | Promise<boolean> = hasWebChecksum,
): Promise<Block> {
  const view = viewOf(bytes);
  if (!(await isIntact(bytes))) throw new SegmentError("The block's checksum is wrong.");
  const flags = view.getUint32(36);
  const count = view.getUint32(60);
  const payloadEnd = BLOCK_HEADER_BYTES + 4 * count + view.getUint32(56);
  const payload = bytes.subarray(BLOCK_HEADER_BYTES + 4 * count, payloadEnd);
  const authors = payloadEnd === bytes.length ? undefined : decodeAuthors(bytes.subarray(payloadEnd));
  return {
    position: Number(view.getBigUint64(48)),
    continued: (flags & FLAG_CONTINUED) !== 0,
    open: (flags & FLAG_OPEN) !== 0,
    ends: endsIn(view, count),
    payload,
    authors,
  };
}

/** A block may have thousands, and is decoded for each reader. */
function endsIn(view: DataView, count: number): number[] {
  const ends: number[] = [];
  for (let index = 0; index < count; index += 1) ends.push(view.getUint32(BLOCK_HEADER_BYTES + 4 * index));
  return ends;
}

/** The last append boundary of a block at or before a position, or the beginning of the segment. */
export function boundaryInBlock({ position, continued, ends }: Block, at: number): number | undefined {
  const end = ends.findLast((candidate) => position + candidate <= at);
  if (end !== undefined) return position + end;
  return continued ? undefined : position;
}

function viewOf(bytes: Bytes): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

async function hasWebChecksum(block: Bytes): Promise<boolean> {
  return isChecksum(block, await sha256(block.subarray(DIGEST_BYTES)));
}

function isChecksum(block: Bytes, digest: Bytes): boolean {
  return digest.every((byte, index) => byte === block[index]);
}

async function sha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
