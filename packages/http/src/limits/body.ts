/**
 * Reads request bodies: to the end, before the object is called, decoded if compressed, and within limits of bytes and of time
 * that are both counted while the body arrives.
 */

import { concatBytes } from "@durable-streams-cloudflare/core/kit/bytes";
import { wait } from "@durable-streams-cloudflare/core/kit/yield";
import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import type { HttpRequest } from "../ports.ts";
import { gunzip, inflate, MEMBERS_MAX } from "./decompress.ts";
import { SERVER_BUSY, type Held } from "./held-bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Read = Result<{ bytes: Bytes }>;

/** The limits within which one body is read. */
export interface BodyLimit {
  /** The limit after decoding. No more than this is ever buffered. */
  readonly bytesMax: number;
  /** The limit for reading the whole body, in seconds, however steadily it arrives. */
  readonly secondsMax: number;
  /** Counts the buffered bytes together with those of all other bodies. Whoever creates it releases it. */
  readonly held?: Held;
}

const SHORT_BYTES_MAX = 64 * 1024;

/** Compressing what cannot be compressed adds to it: five bytes for each block, and a header for each member. */
const COMPRESSED_EXCESS_MIN = 1024;
const COMPRESSED_EXCESS_DIVISOR = 16;

/** What a sender whose request is refused may still send, and how long it may take. */
const DISCARD_BYTES_MAX = 64 * 1024 * 1024;
const DISCARD_MS_MAX = 5_000;
/** A pause after so many of these bytes: whoever sends what nobody wants waits, and not the others. */
const DISCARD_BYTES_PER_PAUSE = 1024 * 1024;
const DISCARD_PAUSE_MS = 20;

/** Reads and decodes a whole body. */
export async function readBody(request: HttpRequest, limit: BodyLimit): Promise<Read> {
  const encoding = (request.headers.get("Content-Encoding") ?? "identity").trim().toLowerCase();
  const isPlain = encoding === "identity" || encoding === "";
  // Before the body is looked at: to make a stream of it costs some hosts more than to read it.
  if (isPlain && isShort(request, limit.bytesMax)) return readShort(request, limit);
  if (request.body === null) return { ok: true, bytes: new Uint8Array() };
  if (isPlain) return readPlain(request.body, limit);
  if (encoding !== "gzip" && encoding !== "x-gzip" && encoding !== "deflate") {
    return refuse(
      "content-encoding-unsupported",
      `The body's Content-Encoding is ${encoding}, which is not supported.`,
      {
        hint: "Use gzip, deflate or identity.",
        headers: { "Accept-Encoding": "gzip, deflate, identity" },
      },
    );
  }
  const { bytesMax } = limit;
  const excess = Math.max(COMPRESSED_EXCESS_MIN, Math.ceil(bytesMax / COMPRESSED_EXCESS_DIVISOR));
  const compressed = await readPlain(request.body, { ...limit, bytesMax: bytesMax + excess });
  if (!compressed.ok) return compressed.problem.code === "body-too-large" ? refuseTooLarge(bytesMax) : compressed;
  const decoded = await (encoding === "deflate" ? inflate : gunzip)(compressed.bytes, bytesMax, limit.held);
  if (decoded.ok) return decoded;
  if (decoded.reason === "busy") return SERVER_BUSY;
  return decoded.reason === "too-large"
    ? refuseTooLarge(bytesMax)
    : refuse("content-encoding-broken", `The body cannot be decoded as ${encoding}.`, {
        hint: `Send a complete body with at most ${MEMBERS_MAX} gzip members.`,
      });
}

/** The sender goes on sending. */
const STOPPED: ReadonlySet<string> = new Set(["body-too-large", "server-busy"]);

async function readPlain(body: ReadableStream<Uint8Array>, limit: BodyLimit): Promise<Read> {
  const reader = body.getReader();
  const read = await inTime(limit, readAll(reader, limit), () => void reader.cancel().catch(() => undefined));
  if (!read.ok && STOPPED.has(read.problem.code)) await discard(reader, DISCARD_BYTES_MAX);
  return read;
}

function readShort(request: HttpRequest, limit: BodyLimit): Promise<Read> | Read {
  if (limit.held?.take(Number(request.headers.get("Content-Length"))) === false) return SERVER_BUSY;
  return inTime(limit, readAtOnce(request), () => undefined);
}

async function readAtOnce(request: HttpRequest): Promise<Read> {
  try {
    // The type of some hosts allows for shared memory, which no body is in.
    return { ok: true, bytes: (await request.bytes()) as Bytes };
  } catch {
    return refuseIncomplete();
  }
}

/**
 * Whether the request says that its body is short. HTTP holds it to that, and reading it in one go saves a quarter of an
 * append's time at the edge.
 */
function isShort(request: HttpRequest, bytesMax: number): boolean {
  const length = request.headers.get("Content-Length");
  return length !== null && Number(length) <= Math.min(SHORT_BYTES_MAX, bytesMax);
}

/** What is read, or a refusal once it takes too long: a sender must not keep a request open for as long as it likes. */
function inTime({ secondsMax }: BodyLimit, reading: Promise<Read>, giveUp: () => void): Promise<Read> {
  // A race would do, at several times the cost.
  const { promise, resolve, reject } = Promise.withResolvers<Read>();
  const timer = setTimeout(() => {
    giveUp();
    resolve(refuseSlow(secondsMax));
  }, secondsMax * 1000);
  const settle = <Value>(act: (value: Value) => void) => {
    return (value: Value): void => {
      clearTimeout(timer);
      act(value);
    };
  };
  reading.then(settle(resolve), settle(reject));
  return promise;
}

/** Discards the body of a request that is refused before the body was read. */
export async function discardBody(request: HttpRequest): Promise<void> {
  if (request.body !== null && !request.bodyUsed) await discard(request.body.getReader(), DISCARD_BYTES_MAX);
}

async function readAll(reader: ReadableStreamDefaultReader<Uint8Array>, { bytesMax, held }: BodyLimit): Promise<Read> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { ok: true, bytes: concatBytes(chunks) };
      size += value.length;
      if (size > bytesMax) break;
      if (held?.take(value.length) === false) return SERVER_BUSY;
      chunks.push(value);
    }
  } catch {
    return refuseIncomplete();
  }
  return refuseTooLarge(bytesMax);
}

/**
 * Reads on for a while and keeps nothing. The runtime hangs up on a sender that was not read to the end, and one that
 * is still sending then often sees a broken connection instead of the answer, and tries again.
 */
async function discard(reader: ReadableStreamDefaultReader<Uint8Array>, bytesMax: number): Promise<void> {
  const patience = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => patience.resolve(undefined), DISCARD_MS_MAX);
  let sincePause = 0;
  for (let size = 0; size < bytesMax;) {
    const read = await Promise.race([reader.read().catch(() => undefined), patience.promise]);
    if (read === undefined || read.done) break;
    size += read.value.length;
    sincePause += read.value.length;
    if (sincePause < DISCARD_BYTES_PER_PAUSE) continue;
    sincePause = 0;
    await wait(DISCARD_PAUSE_MS);
  }
  clearTimeout(timer);
  // Not awaited: a sender that never stops must not hold up the answer.
  void reader.cancel().catch(() => undefined);
}

function refuseIncomplete(): Refusal {
  return refuse("body-incomplete", "The connection ended before the whole body had arrived.");
}

export function refuseTooLarge(bytesMax: number): Refusal {
  return refuse("body-too-large", `A body can have at most ${bytesMax} bytes after decoding.`, {
    hint: "Split it into several appends, or raise APPEND_BYTES_MAX.",
  });
}

function refuseSlow(secondsMax: number): Refusal {
  return refuse("body-timeout", `The body had not arrived in full after ${secondsMax} seconds.`, {
    hint: "Send smaller bodies, or raise BODY_TIMEOUT_SECONDS.",
  });
}
