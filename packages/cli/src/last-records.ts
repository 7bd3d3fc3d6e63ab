import { JsonMessages } from "./json-messages.ts";

/** The largest number of records that are kept in memory. */
export const LAST_MAX = 10_000;

/** Collects the last messages of a JSON stream, or the last lines of a text. */
export class LastRecords {
  readonly #limit: number;
  readonly #messages: JsonMessages | undefined;
  readonly #decoder = new TextDecoder();
  /** The beginning of a line that is not complete yet. */
  #pending = "";
  #records: string[] = [];

  constructor(isJson: boolean, limit: number) {
    this.#limit = limit;
    this.#messages = isJson ? new JsonMessages() : undefined;
  }

  push(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true });
    for (const record of this.#messages?.push(text) ?? this.#lines(text)) this.#records.push(record);
    // Not after each record, because slicing copies the remaining ones.
    if (this.#records.length > 2 * this.#limit) this.#records = this.#records.slice(-this.#limit);
  }

  /** The records in their order. Lines include their line ending, which the last one may lack. */
  take(): string[] {
    const rest = this.#pending === "" ? [] : [this.#pending];
    return [...this.#records, ...rest].slice(-this.#limit);
  }

  #lines(text: string): string[] {
    const lines = (this.#pending + text).split("\n");
    this.#pending = lines.pop() ?? "";
    return lines.map((line) => `${line}\n`);
  }
}
