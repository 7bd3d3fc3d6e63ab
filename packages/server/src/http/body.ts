/** Request bodies: read to the end before the object is called, counted while they come, decoded if compressed. */

import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import { concatBytes } from "../storage/bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Read = Result<{ bytes: Bytes }>;

const SHORT_BYTES_MAX = 64 * 1024;

/** What a sender whose request is refused may still send, and how long it may take. */
const DISCARD_BYTES_MAX = 64 * 1024 * 1024;
const DISCARD_MS_MAX = 5_000;
/** A pause after so many of these bytes: whoever sends what nobody wants waits, and not the others. */
const DISCARD_BYTES_PER_PAUSE = 1024 * 1024;
const DISCARD_PAUSE_MS = 20;

/**
 * Reads a whole body.
 * @param bytesMax the limit, after decoding; nothing beyond it is ever held.
 */
export async function readBody(request: Request, bytesMax: number): Promise<Result<{ bytes: Bytes }>> {
  if (request.body === null) return { ok: true, bytes: new Uint8Array() };
  const encoding = (request.headers.get("Content-Encoding") ?? "identity").trim().toLowerCase();
  if (encoding === "identity" || encoding === "") return readPlain(request, request.body, bytesMax);
  if (encoding !== "gzip" && encoding !== "x-gzip" && encoding !== "deflate") {
    return refuse("content-encoding-unsupported", `The body's Content-Encoding is ${encoding}.`, {
      hint: "Send it as gzip, deflate or identity.",
      headers: { "Accept-Encoding": "gzip, deflate, identity" },
    });
  }
  const decoder = new DecompressionStream(encoding === "deflate" ? "deflate" : "gzip");
  try {
    // Nothing is discarded here: to inflate the rest of a bomb is the work that its sender wants done.
    return await readAll(request.body.pipeThrough(decoder), bytesMax, 0);
  } catch {
    return refuse("content-encoding-broken", `The body does not decode as ${encoding}.`);
  }
}

async function readPlain(request: Request, body: ReadableStream<Uint8Array>, bytesMax: number): Promise<Read> {
  try {
    if (isShort(request, bytesMax)) return { ok: true, bytes: new Uint8Array(await request.arrayBuffer()) };
    return await readAll(body, bytesMax, DISCARD_BYTES_MAX);
  } catch {
    return refuse("body-incomplete", "The body broke off before its end.");
  }
}

/**
 * Whether the request says that its body is short. HTTP holds it to that, and reading it in one go saves a quarter of an
 * append's time at the edge.
 */
function isShort(request: Request, bytesMax: number): boolean {
  const length = request.headers.get("Content-Length");
  return length !== null && Number(length) <= Math.min(SHORT_BYTES_MAX, bytesMax);
}

/** For a request that is refused before its body was read. */
export async function discardBody(request: Request): Promise<void> {
  if (request.body !== null && !request.bodyUsed) await discard(request.body.getReader(), DISCARD_BYTES_MAX);
}

async function readAll(
  body: ReadableStream<Uint8Array>,
  bytesMax: number,
  discardBytesMax: number,
): Promise<Result<{ bytes: Bytes }>> {
  const reader = body.getReader();
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { ok: true, bytes: concatBytes(pieces) };
    size += value.length;
    if (size > bytesMax) {
      pieces.length = 0;
      await discard(reader, discardBytesMax);
      return refuseTooLarge(bytesMax);
    }
    pieces.push(value);
  }
}

/**
 * Reads on for a while and keeps nothing. The runtime hangs up on a sender that was not read to the end, and one that
 * is still sending then often sees a broken connection instead of the answer, and tries again.
 */
async function discard(reader: ReadableStreamDefaultReader<Uint8Array>, bytesMax: number): Promise<void> {
  const patience = scheduler.wait(DISCARD_MS_MAX).then(() => undefined);
  let sincePause = 0;
  for (let size = 0; size < bytesMax;) {
    const read = await Promise.race([reader.read().catch(() => undefined), patience]);
    if (read === undefined || read.done) break;
    size += read.value.length;
    sincePause += read.value.length;
    if (sincePause < DISCARD_BYTES_PER_PAUSE) continue;
    sincePause = 0;
    await scheduler.wait(DISCARD_PAUSE_MS);
  }
  // Not awaited: a sender that never stops must not hold up the answer.
  void reader.cancel().catch(() => undefined);
}

function refuseTooLarge(bytesMax: number): Refusal {
  return refuse("body-too-large", `One append has at most ${bytesMax} bytes after decoding.`, {
    hint: "Split it into several appends, or raise APPEND_BYTES_MAX.",
  });
}
