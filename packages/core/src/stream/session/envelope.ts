/**
 * The envelope format of sessions: one JSON message for each append of a source, so that one stream can carry sources of
 * any content type. `docs/estuaries.md` has it for readers.
 *
 *     {"source":"chat","offset":"…","data":[{"text":"hello"}]}             the messages of a JSON source, as they were sent
 *     {"source":"chat","offset":"…","author":"alice","data":[…]}           the same, where the source records authors
 *     {"source":"log","offset":"…","data":"line\n"}                        an append of a text source
 *     {"source":"image","offset":"…","data":"/9j/4A==","encoding":"base64"} an append of any other
 *     {"source":"chat","offset":"…","control":"closed"}                    nothing more will come
 *     {"source":"chat","offset":"…","control":"trimmed"}                   retention took what came before the offset
 */

import { formatOffset, framingOf, isTextual } from "@durable-streams-cloudflare/protocol";

import type { Authors } from "../../contracts/authors.ts";
import type { SourceEnd } from "../../contracts/fan-out.ts";
import { toBase64 } from "../../kit/bytes.ts";
import { concatBytes } from "../../kit/bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Whole appends of a source, in stored form. */
export interface SourceRange {
  /** As readers know it: without its project. */
  readonly source: string;
  readonly contentType: string;
  /** The incarnation that offsets in the range have. */
  readonly owner: number;
  /** Position of the first byte. */
  readonly begin: number;
  readonly bytes: Bytes;
  /** Where appends end, relative to `begin`. */
  readonly ends: readonly number[];
  /** Who wrote each append, where the source records it. */
  readonly authors?: Authors | undefined;
}

/** The range as stored messages of a JSON stream, each with the offset that its append ends at. */
export function toEnvelopes({ source, contentType, owner, begin, bytes, ends, authors }: SourceRange): Bytes {
  const encoder = new TextEncoder();
  const chunks: Uint8Array[] = [];
  let start = 0;
  for (const [index, end] of ends.entries()) {
    const append = bytes.subarray(start, end);
    const author = authors === undefined ? "" : `,"author":${JSON.stringify(authors[index] ?? null)}`;
    const head = `{"source":${JSON.stringify(source)},"offset":"${formatOffset(owner, begin + end)}"${author}`;
    if (framingOf(contentType) === "json") {
      // Each message is stored with a comma behind it.
      chunks.push(encoder.encode(`${head},"data":[`), append.subarray(0, -1), encoder.encode("]},"));
    } else chunks.push(encoder.encode(`${head},${dataOf(append, contentType)}},`));
    start = end;
  }
  return concatBytes(chunks);
}

/** A message that says what has become of the source. */
export function toControlEnvelope(source: string, offset: string, control: SourceEnd | "trimmed"): Bytes {
  return concatBytes([new TextEncoder().encode(`${JSON.stringify({ source, offset, control })},`)]);
}

/** Text that is none (appends may be cut inside a character) goes as bytes do. */
function dataOf(append: Bytes, contentType: string): string {
  const text = isTextual(contentType) ? decode(append) : undefined;
  return text === undefined ? `"data":"${toBase64(append)}","encoding":"base64"` : `"data":${JSON.stringify(text)}`;
}

function decode(bytes: Bytes): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
