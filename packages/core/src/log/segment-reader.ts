/**
 * Reads the blocks of a segment in order, and verifies each before passing it on. After a failure it continues at the block
 * that is missing. So a reader gets the right bytes or an error, never wrong bytes and never fewer.
 */

import type { ColdSlice } from "../contracts/cold-slice.ts";
import { wait } from "../kit/yield.ts";
import { openInput, type WindowMemory } from "./block-input.ts";
import { blockRestBytes, decodeBlock, SegmentError, type Block } from "./segment-format.ts";
import type { SegmentStore } from "./segment-store.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Which part of one block to read. */
export interface ColdChunk {
  readonly position: number;
  readonly bytes: Bytes;
  readonly block: Block;
}

/** Thrown when a segment cannot be read: the store fails, hangs, has lost the object, or returns damaged bytes. */
export class SegmentUnavailable extends Error {
  override readonly name = "SegmentUnavailable";
}

const TRIES = 4;
const FIRST_DELAY_MS = 50;

/**
 * @param memory is used for each chunk, if a chunk is of no use any more when the next one is asked for.
 * @throws SegmentUnavailable after as many tries as it makes for one block.
 */
export async function* readSlice(
  store: SegmentStore,
  slice: ColdSlice,
  memory: WindowMemory | undefined,
): AsyncGenerator<ColdChunk, void, undefined> {
  for await (const block of readBlocks(store, slice, memory)) {
    const { position, payload } = block;
    const start = Math.max(0, slice.from - position);
    const end = Math.min(payload.length, slice.to - position);
    yield { position: position + start, bytes: payload.subarray(start, Math.max(start, end)), block };
  }
}

async function* readBlocks(
  store: SegmentStore,
  slice: ColdSlice,
  memory: WindowMemory | undefined,
): AsyncGenerator<Block, void, undefined> {
  const place = { offset: slice.offset, position: slice.position };
  for (let tries = 1; place.offset < slice.end; tries += 1) {
    try {
      for await (const block of readOnce(store, slice, place, memory)) {
        tries = 0;
        yield block;
      }
    } catch (error) {
      if (tries >= TRIES) throw new SegmentUnavailable(`The segment ${slice.key} cannot be read.`, { cause: error });
      await wait(FIRST_DELAY_MS * 2 ** tries * (0.5 + Math.random()));
    }
  }
}

/** Moves the place on with each block that was good. */
async function* readOnce(
  store: SegmentStore,
  slice: ColdSlice,
  place: { offset: number; position: number },
  memory: WindowMemory | undefined,
): AsyncGenerator<Block, void, undefined> {
  const input = await openInput(store, slice, place.offset, memory);
  if (input === undefined) throw new SegmentError("The object does not exist.");
  try {
    while (place.offset < slice.end) {
      const bytes = await input.next((header) => blockRestBytes(header, slice.incarnation, place.position));
      const block = await decodeBlock(bytes, input.isIntact);
      place.offset += bytes.length;
      place.position += block.payload.length;
      yield block;
    }
  } catch (error) {
    memory?.drop();
    throw error;
  } finally {
    // Also when the client went away: nothing is read for nobody.
    input.cancel();
  }
}
