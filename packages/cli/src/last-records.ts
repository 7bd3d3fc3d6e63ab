import { JsonMessages } from "./json-messages.ts";

/** So many are kept in memory at once, at the most. */
export const LAST_MAX = 10_000;

/** The last messages of a JSON stream, or lines of a text, of all that was pushed. */
export class LastRecords {
  readonly #limit: number;
  readonly #messages: JsonMessages | undefined;
  readonly #decoder = new TextDecoder();
  /** Of a line whose end has not come. */
  #pending = "";
  #records: string[] = [];

  constructor(isJson: boolean, limit: number) {
    this.#limit = limit;
    this.#messages = isJson ? new JsonMessages() : undefined;
  }

  push(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true });
    for (const record of this.#messages?.push(text) ?? this.#lines(text)) this.#records.push(record);
    // Not for each record: a cut copies what is left.
    if (this.#records.length > 2 * this.#limit) this.#records = this.#records.slice(-this.#limit);
  }

  /** In their order; lines with their ends, and the last one perhaps without. */
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
