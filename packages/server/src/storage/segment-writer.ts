/** From a frozen table of the hot log to a segment, in two passes, so that neither holds more than a block. */

import type { FrozenTable, HotLog } from "./hot-log.ts";
import { endsOf, type LogRowNotes } from "./log-rows.ts";
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
}

/** What a table's segment will be. */
export interface SegmentPlan {
  readonly range: SegmentRange;
  readonly blocks: readonly (BlockPlan & BlockSizes)[];
  /** When the last of it was committed, in ms. */
  readonly committedAtMs: number;
}

/** Resolves when the requests that have come meanwhile were seen to. */
type NextTurn = () => Promise<void>;

/** Looks at the notes only. The same table always gives the same plan. */
export async function planSegment(
  log: HotLog,
  table: FrozenTable,
  incarnation: number,
  nextTurn: NextTurn,
): Promise<SegmentPlan> {
  const blocks: BlockPlan[] = [];
  let last: LogRowNotes | undefined;
  for (let position = table.first; position < table.last;) {
    const rows = log.tableNotes(table.first, position, ROWS_PER_TURN).filter(({ size }) => size > 0);
    for (const row of rows) {
      addRow(blocks, row, last?.notes.open === true);
      last = row;
    }
    if (last === undefined || rows.length === 0)
      throw new Error("A frozen table of the log is shorter than its range.");
    position = last.position + last.size;
    if (position < table.last) await nextTurn();
  }
  const range = { incarnation, first: blocks[0]?.position ?? table.first, last: table.last };
  const sized = blocks.map((block) => ({ ...block, storedBytes: storedBytesOf(block.payloadBytes, block.ends) }));
  return { range, blocks: sized, committedAtMs: last?.committedAtMs ?? 0 };
}

/** The segment's bytes, block by block. The last piece is its index and footer. */
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
 * The same bytes in small pieces, with breaks between them. Without a break, whatever takes the pieces keeps the runtime so
 * busy that it looks at no request until all of them are gone.
 * @param bytesWaiting how many bytes have been appended behind these, asked again and again.
 */
export async function* withBreaks(
  pieces: AsyncIterable<Bytes>,
  bytesWaiting: () => number,
  nextTurn: NextTurn,
): AsyncGenerator<Bytes, void, undefined> {
  let sinceBreak = 0;
  let waiting = bytesWaiting();
  let quietBreaks = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; at += BYTES_PER_TURN) {
      const part = piece.subarray(at, at + BYTES_PER_TURN);
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
  const ends = rowEnds(row).length;
  const block = blocks.at(-1);
  const fits =
    block !== undefined && block.payloadBytes + row.size <= BLOCK_BYTES && block.ends + ends <= BLOCK_ENDS_MAX;
  if (!fits) {
    blocks.push({ position: row.position, payloadBytes: row.size, ends, continued });
    return;
  }
  block.payloadBytes += row.size;
  block.ends += ends;
}

function readBlock(log: HotLog, table: FrozenTable, plan: BlockPlan): Block {
  const { position, payloadBytes, continued } = plan;
  const rows = log.tableRows(table.first, position, position + payloadBytes);
  const [only] = rows;
  const isOne = only !== undefined && only.size === payloadBytes;
  const payload = isOne ? only.bytes : new Uint8Array(payloadBytes);
  const ends: number[] = [];
  let open = false;
  for (const row of rows) {
    if (!isOne) payload.set(row.bytes, row.position - position);
    for (const end of rowEnds(row)) ends.push(end - position);
    open = row.notes.open === true;
  }
  return { position, continued, open, ends, payload };
}

/** Where appends of a row end, each place once: an append that only closes the stream has no bytes. */
function rowEnds(row: LogRowNotes): number[] {
  if (row.notes.open === true) return [];
  return endsOf(row).filter((end, index, all) => end > (all[index - 1] ?? row.position));
}
