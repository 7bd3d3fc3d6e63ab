/** Prints what is read of a stream: NDJSON for JSON streams, the bytes as they are for all others. */

import { framingOf, isTextual } from "@durable-streams-cloudflare/protocol";

import { JsonMessages } from "./json-messages.ts";
import type { Output } from "./output.ts";

/** Where a reader stands. */
export interface Progress {
  readonly offset: string;
  readonly upToDate: boolean;
  readonly closed: boolean;
}

/**
 * With `--json` each line is an object: `{"data": …}` for a message (for a piece of any other stream: its text, or
 * base64 with `"encoding"`), and `{"offset", "upToDate", "closed"}` after what an answer brought.
 */
export class StreamPrinter {
  readonly #output: Output;
  readonly isJson: boolean;
  readonly #isText: boolean;
  readonly #limit: number;
  readonly #messages = new JsonMessages();
  readonly #decoder = new TextDecoder();
  #printed = 0;

  /** @param limit so many messages are printed, no more. */
  constructor(output: Output, contentType: string, limit = Number.POSITIVE_INFINITY) {
    this.#output = output;
    this.isJson = framingOf(contentType) === "json";
    this.#isText = isTextual(contentType);
    this.#limit = limit;
  }

  /** Whether as much has been printed as was asked for. */
  get isFull(): boolean {
    return this.#printed >= this.#limit;
  }

  /** How many messages, or pieces. */
  get printed(): number {
    return this.#printed;
  }

  async print(bytes: Uint8Array): Promise<void> {
    if (this.isJson) await this.#printMessages(this.#decoder.decode(bytes, { stream: true }));
    else if (bytes.length > 0) await this.#printPiece(bytes);
  }

  async printProgress({ offset, upToDate, closed }: Progress): Promise<void> {
    if (this.#output.json) await this.#output.write(`${JSON.stringify({ offset, upToDate, closed })}\n`);
  }

  /** Messages, or lines of a text, that were read before: they do not count. */
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

  async #printPiece(bytes: Uint8Array): Promise<void> {
    this.#printed += 1;
    if (!this.#output.json) return this.#output.write(bytes);
    const record = this.#isText
      ? { data: this.#decoder.decode(bytes, { stream: true }) }
      : { data: Buffer.from(bytes).toString("base64"), encoding: "base64" };
    await this.#output.write(`${JSON.stringify(record)}\n`);
  }
}
