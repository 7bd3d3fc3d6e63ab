/** Finds the ends of JSON messages in the stored form, without parsing them into values. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

const isOpening = (byte: number): boolean => byte === 0x5b || byte === 0x7b;
const isClosing = (byte: number): boolean => byte === 0x5d || byte === 0x7d;

/** Knows at each byte of the log, whose chunks may end anywhere, whether a message ends with it. */
export class MessageScanner {
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** Whether this byte ends a message: a comma outside of everything. */
  step(byte: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) this.#inString = false;
      return false;
    }
    if (byte === QUOTE) this.#inString = true;
    else if (isOpening(byte)) this.#depth += 1;
    else if (isClosing(byte)) this.#depth -= 1;
    return byte === COMMA && this.#depth === 0;
  }

  /** Whether a message ends with the last byte of this chunk. */
  isEndAfter(chunk: Uint8Array): boolean {
    let isEnd = false;
    for (let index = 0; index < chunk.length; index += 1) isEnd = this.step(chunk[index] ?? 0);
    return isEnd;
  }
}

/** Counts messages across chunks of the log. */
export class MessageCounter {
  readonly #scanner = new MessageScanner();
  #left: number;

  /** @param count how many messages to look for; at least 1. */
  constructor(count: number) {
    this.#left = count;
  }

  /** Messages that were not found yet. */
  get left(): number {
    return this.#left;
  }

  /** Bytes of this chunk up to the end of the last message looked for; `undefined` if that is not in it. */
  take(chunk: Uint8Array): number | undefined {
    for (let index = 0; index < chunk.length; index += 1) {
      if (!this.#scanner.step(chunk[index] ?? 0)) continue;
      this.#left -= 1;
      if (this.#left === 0) return index + 1;
    }
    return undefined;
  }
}
