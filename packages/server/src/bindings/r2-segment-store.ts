/** Core's segment store on an R2 bucket. */

import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";

type Bytes = Uint8Array<ArrayBuffer>;

/** Makes a segment store of a bucket. */
export function r2SegmentStore(bucket: R2Bucket): SegmentStore {
  return {
    put: (key, size, chunks, signal) => put(bucket, { key, size, chunks, signal }),
    get: async (key, offset, length) => (await bucket.get(key, { range: { offset, length } }))?.body,
    list: async (prefix) => (await bucket.list({ prefix })).objects.map(({ key }) => key),
    delete: (keys) => bucket.delete([...keys]),
  };
}

interface Put {
  readonly key: string;
  readonly size: number;
  readonly chunks: AsyncIterable<Bytes>;
  readonly signal: AbortSignal;
}

/** R2 takes a stream if its length is known; so no more than one chunk is in memory at a time. */
async function put(bucket: R2Bucket, { key, size, chunks, signal }: Put): Promise<boolean> {
  const { readable, writable } = new FixedLengthStream(size);
  const writer = writable.getWriter();
  const ended = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    writer.abort(reason).catch(() => undefined);
    ended.reject(reason);
  };
  const onAbort = (): void => end(signal.reason);
  signal.addEventListener("abort", onAbort);
  pump(chunks, writer).catch(end);
  try {
    const putting = bucket.put(key, readable, { onlyIf: { etagDoesNotMatch: "*" } });
    return (await Promise.race([putting, ended.promise])) !== null;
  } finally {
    signal.removeEventListener("abort", onAbort);
    // What was refused is not read to its end.
    writer.abort().catch(() => undefined);
  }
}

async function pump(chunks: AsyncIterable<Bytes>, writer: WritableStreamDefaultWriter<Uint8Array>): Promise<void> {
  for await (const chunk of chunks) await writer.write(chunk);
  await writer.close();
}
