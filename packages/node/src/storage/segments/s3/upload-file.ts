/**
 * A segment on its way into a bucket. It is written to a temporary file first: a signature needs the checksum of the whole, a
 * try that fails needs all bytes again, and memory holds one chunk only. What a killed server leaves is removed at the next
 * start (`sweepParts`).
 */

import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createReadStream, type ReadStream } from "node:fs";
import { mkdir, open as openFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";

import { PARTS, writeWhole } from "../folder-segments.ts";
import type { S3Body } from "./s3-client.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What is uploaded. */
export interface Upload {
  readonly size: number;
  readonly chunks: AsyncIterable<Bytes>;
  readonly signal: AbortSignal;
}

/**
 * Writes the temporary file, and removes it when `use` has ended.
 * @param root the folder of the segments of this machine.
 * @throws Error when the chunks are not as many bytes as they should be.
 */
export async function withUploadFile<T>(
  root: string,
  { size, chunks, signal }: Upload,
  use: (body: S3Body) => Promise<T>,
): Promise<T> {
  const parts = join(root, PARTS);
  await mkdir(parts, { recursive: true, mode: 0o700 });
  const path = join(parts, `${randomUUID()}.part`);
  const [sha256, md5] = [createHash("sha256"), createHash("md5")];
  let reading: ReadStream | undefined;
  try {
    const file = await openFile(path, "wx", 0o600);
    let written = 0;
    try {
      for await (const chunk of chunks) {
        signal.throwIfAborted();
        for (const digest of [sha256, md5]) digest.update(chunk);
        await writeWhole(file, chunk);
        written += chunk.length;
      }
    } finally {
      await file.close();
    }
    if (written !== size) throw new Error(`A segment of ${size} bytes came to ${written}.`);
    // A request that is not sent leaves its body open.
    const open = (): BodyInit => {
      reading?.destroy();
      reading = createReadStream(path);
      return Readable.toWeb(reading) as ReadableStream<Uint8Array<ArrayBuffer>>;
    };
    return await use({ open, size, sha256: sha256.digest("hex"), md5: md5.digest("base64") });
  } finally {
    if (reading !== undefined) await closed(reading);
    await rm(path, { force: true });
  }
}

async function closed(stream: ReadStream): Promise<void> {
  if (stream.closed) return;
  const isClosed = once(stream, "close");
  stream.destroy();
  await isClosed;
}
