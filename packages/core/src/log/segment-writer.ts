/** Writes a frozen table of the hot log as a segment, in two passes, so that neither holds more than one block. */

import { AuthorRunsSize } from "./author-runs.ts";
import { authorsOf, type FrozenTable, type HotLog } from "./hot-log.ts";
import { appendsOf, type LogRowNotes, type RowAppend } from "./log-rows.ts";
import {
  BLOCK_BYTES,
  BLOCK_ENDS_MAX,
  SegmentEncoder,
  storedBytesOf,
  type Block,
  type BlockSizes,
  type SegmentRange,
} from "./segment-format.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A block takes whole rows until its authors have this many bytes. */
const AUTHORS_BYTES = 256 * 1024;

/** Segments of one table: all of them are uploaded before the index has the first. */
const SEGMENTS_PER_TABLE_MAX = 64;

/** Rows looked at between two breaks: appends go on meanwhile. */
const ROWS_PER_TURN = 256;

/** Bytes handed over between two breaks: at first, and at the most. */
const BYTES_PER_TURN = 32 * 1024;
const BYTES_PER_TURN_MAX = 1024 * 1024;
/** With each so many bytes more that wait, twice as much is handed over, so that appends never stay faster than this. */
const BYTES_WAITING_PER_DOUBLING = 4 * 1024 * 1024;
/** Twice as much as well after so many breaks in a row in which nobody appended, and again, so many times at the most. */
const QUIET_BREAKS_PER_DOUBLING = 8;
const QUIET_DOUBLINGS_MAX = 3;

interface BlockPlan {
  readonly position: number;
  payloadBytes: number;
  ends: number;
  readonly continued: boolean;
  readonly authors: AuthorRunsSize;
}

/** The layout of a segment that will be written. */
export interface SegmentPlan {
  readonly range: SegmentRange;
  readonly blocks: readonly (Omit<BlockPlan, "authors"> & BlockSizes)[];
  /** When the last of it was committed, in ms. */
  readonly committedAtMs: number;
}

/** Resolves when the requests that have come meanwhile were seen to. */
type NextTurn = () => Promise<void>;

/**
 * What a table becomes: one segment, or several when it has grown to a multiple of what one should have, as in a burst that the
 * alarm did not keep up with. Segments end where commits do. Looks at the notes only. The same table always gives the same
 * plan.
 * @param bytesMax what one segment should have at the most; it has less than twice as much, and a commit.
 */
export async function planSegments(
  log: HotLog,
  table: FrozenTable,
  { incarnation, bytesMax }: { readonly incarnation: number; readonly bytesMax: number },
  nextTurn: NextTurn,
): Promise<SegmentPlan[]> {
  const slices: Slice[] = [];
  let last: LogRowNotes | undefined;
  let cuts: Cuts | undefined;
  for (let position = table.first; position < table.last;) {
    const rows = log.tableNotes(table.first, position, ROWS_PER_TURN).filter(({ size }) => size > 0);
    for (const row of rows) {
      const isContinued = last?.notes.open === true;
      cuts ??= new Cuts(row.position, table.last, bytesMax);
      if (slices.length === 0 || (!isContinued && cuts.isAt(row.position))) slices.push({ blocks: [], last: row });
      const slice = slices.at(-1);
      if (slice === undefined) continue;
      addRow(slice.blocks, row, isContinued);
      slice.last = row;
      last = row;
    }
    if (last === undefined || rows.length === 0)
      throw new Error("A frozen table of the log is shorter than its range.");
    position = last.position + last.size;
    if (position < table.last) await nextTurn();
  }
  return slices.map((slice) => planOf(slice, incarnation));
}

/** The rows of one segment. */
interface Slice {
  readonly blocks: BlockPlan[];
  last: LogRowNotes;
}

/** Where a table is cut into segments of about the same size. */
class Cuts {
  readonly #first: number;
  readonly #count: number;
  readonly #bytes: number;
  #taken = 1;

  constructor(first: number, last: number, bytesMax: number) {
    this.#first = first;
    this.#count = Math.min(SEGMENTS_PER_TABLE_MAX, Math.max(1, Math.floor((last - first) / bytesMax)));
    this.#bytes = (last - first) / this.#count;
  }

  /** Whether a segment ends before a position. @param position where a commit begins, asked for in order. */
  isAt(position: number): boolean {
    if (this.#taken >= this.#count || position < this.#first + this.#taken * this.#bytes) return false;
    // A commit may be longer than a segment, and what follows it must not become a very small one.
    this.#taken = Math.round((position - this.#first) / this.#bytes) + 1;
    return true;
  }
}

function planOf({ blocks, last }: Slice, incarnation: number): SegmentPlan {
  const hasAuthors = blocks.some(({ authors }) => authors.bytes > 0);
  const range = { incarnation, first: blocks[0]?.position ?? 0, last: last.position + last.size, hasAuthors };
  const sized = blocks.map(({ authors, ...block }) => ({
    ...block,
    storedBytes: storedBytesOf(block.payloadBytes, block.ends, authors.bytes),
  }));
  return { range, blocks: sized, committedAtMs: last.committedAtMs };
}

/** The segment's bytes, block by block. The last chunk is its index and footer. */
export async function* encodeSegment(
  log: HotLog,
  table: FrozenTable,
  { range, blocks }: SegmentPlan,
): AsyncGenerator<Bytes, void, undefined> {
  const encoder = new SegmentEncoder(range);
  yield encoder.header();
  for (const plan of blocks) yield encoder.block(readBlock(log, table, plan));
  yield encoder.finish();
}

/**
 * The same bytes in small chunks, with pauses between them. Without a pause, whatever takes the chunks keeps the runtime so
 * busy that it looks at no request until all of them are gone.
 * @param bytesWaiting how many bytes have been appended behind these, asked again and again.
 */
export async function* withBreaks(
  chunks: AsyncIterable<Bytes>,
  bytesWaiting: () => number,
  nextTurn: NextTurn,
): AsyncGenerator<Bytes, void, undefined> {
  let sinceBreak = 0;
  let waiting = bytesWaiting();
  let quietBreaks = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += BYTES_PER_TURN) {
      const part = chunk.subarray(at, at + BYTES_PER_TURN);
      yield part;
      sinceBreak += part.length;
      if (sinceBreak < bytesPerTurn(waiting, quietBreaks)) continue;
      sinceBreak = 0;
      await nextTurn();
      const before = waiting;
      waiting = bytesWaiting();
      quietBreaks = waiting === before ? quietBreaks + 1 : 0;
    }
  }
}

function bytesPerTurn(bytesWaiting: number, quietBreaks: number): number {
  const forQuiet = Math.min(QUIET_DOUBLINGS_MAX, Math.floor(quietBreaks / QUIET_BREAKS_PER_DOUBLING));
  const forHaste = Math.floor(bytesWaiting / BYTES_WAITING_PER_DOUBLING);
  return Math.min(BYTES_PER_TURN_MAX, BYTES_PER_TURN * 2 ** (forQuiet + forHaste));
}

function addRow(blocks: BlockPlan[], row: LogRowNotes, continued: boolean): void {
  const appends = appendsOf(row);
  const last = blocks.at(-1);
  const fits =
    last !== undefined &&
    last.payloadBytes + row.size <= BLOCK_BYTES &&
    last.ends + appends.length <= BLOCK_ENDS_MAX &&
    last.authors.bytes <= AUTHORS_BYTES;
  const block = fits
    ? last
    : { position: row.position, payloadBytes: 0, ends: 0, continued, authors: new AuthorRunsSize() };
  if (!fits) blocks.push(block);
  block.payloadBytes += row.size;
  block.ends += appends.length;
  for (const { author } of appends) if (author !== undefined) block.authors.add(author);
}

function readBlock(log: HotLog, table: FrozenTable, plan: SegmentPlan["blocks"][number]): Block {
  const { position, payloadBytes, continued } = plan;
  const rows = log.tableRows(table.first, position, position + payloadBytes);
  const [only] = rows;
  const isOne = only !== undefined && only.size === payloadBytes;
  const payload = isOne ? only.bytes : new Uint8Array(payloadBytes);
  const appends: RowAppend[] = [];
  let open = false;
  for (const row of rows) {
    if (!isOne) payload.set(row.bytes, row.position - position);
    appends.push(...appendsOf(row));
    open = row.notes.open === true;
  }
  const ends = appends.map(({ end }) => end - position);
  return { position, continued, open, ends, payload, authors: authorsOf(appends) };
}
