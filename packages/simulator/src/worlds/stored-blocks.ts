type Bytes = Uint8Array<ArrayBuffer>;

export interface StoredBlock {
  readonly continued: boolean;
  readonly ends: readonly number[];
  readonly payload: Bytes;
}

/** Blocks that lie one behind the other. */
export function blocksIn(bytes: Bytes): StoredBlock[] {
  const blocks: StoredBlock[] = [];
  for (let at = 0; at < bytes.length;) {
    const view = new DataView(bytes.buffer, at);
    const count = view.getUint32(60);
    const start = at + 64 + 4 * count;
    const ends = Array.from({ length: count }, (_, index) => view.getUint32(64 + 4 * index));
    at = start + view.getUint32(56);
    blocks.push({ continued: (view.getUint32(36) & 1) !== 0, ends, payload: bytes.subarray(start, at) });
  }
  return blocks;
}
