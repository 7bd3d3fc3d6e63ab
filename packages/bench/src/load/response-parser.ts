/** Parses as much of HTTP/1.1 as a load tool needs: the status, and the end of the response. Bodies are only counted. */

export interface HttpAnswer {
  readonly status: number;
  readonly bodyBytes: number;
}

type Expected =
  | { readonly kind: "head" }
  | { readonly kind: "chunk-size" }
  | { readonly kind: "body"; left: number; readonly next: "done" | "chunk-size" };

const CRLF = "\r\n";
const HEAD_END = "\r\n\r\n";

export class ResponseParser {
  #expected: Expected = { kind: "head" };
  /** The beginning of an incomplete head or chunk size. */
  #unfinished: Buffer = Buffer.alloc(0);
  #status = 0;
  #bodyBytes = 0;

  /**
   * Processes received bytes, and keeps none of their memory.
   * @returns the response once it is complete; there is never more than one in flight.
   */
  take(received: Buffer): HttpAnswer | undefined {
    const bytes = this.#unfinished.length === 0 ? received : Buffer.concat([this.#unfinished, received]);
    this.#unfinished = Buffer.alloc(0);
    let at = 0;
    for (;;) {
      const expected = this.#expected;
      if (expected.kind === "body") {
        const taken = Math.min(expected.left, bytes.length - at);
        expected.left -= taken;
        at += taken;
        if (expected.left > 0) return undefined;
        if (expected.next === "done") return this.#finish();
        this.#expected = { kind: "chunk-size" };
      } else {
        const terminator = expected.kind === "head" ? HEAD_END : CRLF;
        const end = bytes.indexOf(terminator, at, "latin1");
        if (end < 0) {
          this.#unfinished = Buffer.from(bytes.subarray(at));
          return undefined;
        }
        const text = bytes.toString("latin1", at, end);
        this.#expected = expected.kind === "head" ? this.#bodyAfter(text) : this.#chunkOf(text);
        at = end + terminator.length;
      }
    }
  }

  #bodyAfter(head: string): Expected {
    this.#status = Number(head.slice(9, 12));
    if (/^transfer-encoding: *chunked/im.test(head)) return { kind: "chunk-size" };
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
    this.#bodyBytes = length;
    return { kind: "body", left: length, next: "done" };
  }

  /** Every chunk is followed by a line break, including the last one, which is empty. Trailers are not supported. */
  #chunkOf(text: string): Expected {
    const size = Number.parseInt(text, 16);
    if (Number.isNaN(size)) throw new Error("A chunk of the response has no size.");
    this.#bodyBytes += size;
    return { kind: "body", left: size + CRLF.length, next: size === 0 ? "done" : "chunk-size" };
  }

  #finish(): HttpAnswer {
    const answer = { status: this.#status, bodyBytes: this.#bodyBytes };
    this.#bodyBytes = 0;
    this.#expected = { kind: "head" };
    return answer;
  }
}
