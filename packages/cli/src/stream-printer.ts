/** Prints the data of a stream: NDJSON for JSON streams, unchanged bytes for all others. */

import { framingOf, isTextual } from "@durable-streams-cloudflare/protocol";

import { JsonMessages } from "./json-messages.ts";
import type { Output } from "./output.ts";

/** A reader's position. */
export interface Progress {
  readonly offset: string;
  readonly upToDate: boolean;
  readonly closed: boolean;
}

/**
 * With `--json`, each line is an object: `{"data": …}` for a message (for a chunk of any other stream: its text, or base64
 * with `"encoding"`), and `{"offset", "upToDate", "closed"}` after the data of each response.
 */
export class StreamPrinter {
  readonly #output: Output;
  readonly isJson: boolean;
  readonly #isText: boolean;
  readonly #limit: number;
  readonly #messages = new JsonMessages();
  readonly #decoder = new TextDecoder();
  #printed = 0;

  /** @param limit the maximum number of messages to print. */
  constructor(output: Output, contentType: string, limit = Number.POSITIVE_INFINITY) {
    this.#output = output;
    this.isJson = framingOf(contentType) === "json";
    this.#isText = isTextual(contentType);
    this.#limit = limit;
  }

  /** Whether the limit has been reached. */
  get isFull(): boolean {
    return this.#printed >= this.#limit;
  }

  /** The number of printed messages or chunks. */
  get printed(): number {
    return this.#printed;
  }

  async print(bytes: Uint8Array): Promise<void> {
    if (this.isJson) await this.#printMessages(this.#decoder.decode(bytes, { stream: true }));
    else if (bytes.length > 0) await this.#printChunk(bytes);
  }

  async printProgress({ offset, upToDate, closed }: Progress): Promise<void> {
    if (this.#output.json) await this.#output.write(`${JSON.stringify({ offset, upToDate, closed })}\n`);
  }

  /** Prints messages or lines that were read earlier. They do not count towards the limit. */
  async printRecords(records: readonly string[]): Promise<void> {
    const text = (record: string): string => {
      if (!this.#output.json) return this.isJson ? `${record}\n` : record;
      return `{"data":${this.isJson ? record : JSON.stringify(record)}}\n`;
    };
    await this.#output.write(records.map(text).join(""));
  }

  async #printMessages(text: string): Promise<void> {
    const messages = this.#messages.push(text).slice(0, this.#limit - this.#printed);
    this.#printed += messages.length;
    await this.printRecords(messages);
  }

  async #printChunk(bytes: Uint8Array): Promise<void> {
    this.#printed += 1;
    if (!this.#output.json) return this.#output.write(bytes);
    const record = this.#isText
      ? { data: this.#decoder.decode(bytes, { stream: true }) }
      : { data: Buffer.from(bytes).toString("base64"), encoding: "base64" };
    await this.#output.write(`${JSON.stringify(record)}\n`);
  }
}
