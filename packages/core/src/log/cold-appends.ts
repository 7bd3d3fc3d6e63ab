/** Reads whole appends from cold segments, together with where each append ends. */

import type { ColdSlice } from "../contracts/cold-slice.ts";
import { APPENDS_PER_PULL, authorsOf, type Appends } from "./hot-log.ts";
import type { RowAppend } from "./log-rows.ts";
import { readSlice, type ColdChunk } from "./segment-reader.ts";
import type { SegmentStore } from "./segment-store.ts";

/**
 * About `bytesMax` bytes of appends, or one that is larger.
 * @param slices a range that begins where an append does; segments end where one does.
 * @throws SegmentUnavailable when the store does not return the right bytes.
 */
export async function readColdAppends(
  store: SegmentStore,
  slices: readonly ColdSlice[],
  bytesMax: number,
): Promise<Appends> {
  const [{ from } = { from: 0 }] = slices;
  const chunks: Uint8Array[] = [];
  const appends: RowAppend[] = [];
  let size = 0;
  for await (const chunk of chunksOf(store, slices)) {
    chunks.push(chunk.bytes);
    size += chunk.bytes.length;
    appends.push(...appendsIn(chunk));
    if (appends.length > 0 && (size >= bytesMax || appends.length >= APPENDS_PER_PULL)) break;
  }
  const kept = appends.slice(0, APPENDS_PER_PULL);
  const ends = kept.map(({ end }) => end - from);
  return { bytes: joined(chunks, ends.at(-1) ?? 0), ends, authors: authorsOf(kept) };
}

async function* chunksOf(
  store: SegmentStore,
  slices: readonly ColdSlice[],
): AsyncGenerator<ColdChunk, void, undefined> {
  for (const slice of slices) yield* readSlice(store, slice, undefined);
}

/** The appends that end after the chunk's first byte. */
function appendsIn({ position, bytes, block }: ColdChunk): RowAppend[] {
  return block.ends
    .map((end, index) => ({ end: block.position + end, author: block.authors?.[index] }))
    .filter(({ end }) => end > position && end <= position + bytes.length);
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk.subarray(0, size - at), at);
    at = Math.min(size, at + chunk.length);
  }
  return whole;
}
