/** Reads the text of an SSE response until something has arrived in it. */

import { setTimeout as wait } from "node:timers/promises";

import type { Deployment } from "./deployment.ts";

/** How long one event may take. */
const EVENT_MS = 30_000;
/** What has been received and not looked for is cut to this length. */
const TEXT_LENGTH_MAX = 64 * 1024;

export class EventReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = "";
  #reading: Promise<boolean> | undefined;

  private constructor(reader: ReadableStreamDefaultReader<Uint8Array>) {
    this.#reader = reader;
  }

  /** Opens a live read at the end of the stream. @throws CliError */
  static async open(deployment: Deployment, stream: string): Promise<EventReader> {
    const query = { offset: "now", live: "sse" };
    const { body } = await deployment.send("GET", stream, { query, limitMs: EVENT_MS });
    if (body === null) throw new Error("The response of the live read has no body.");
    return new EventReader(body.getReader());
  }

  /** Waits for a text. @returns false if the response ends, or half a minute passes, before it. */
  async until(text: string): Promise<boolean> {
    const late = new AbortController();
    const timer = wait(EVENT_MS, false, { signal: late.signal }).catch(() => false);
    try {
      while (!this.#text.includes(text)) if (!(await Promise.race([this.#more(), timer]))) return false;
      return true;
    } finally {
      late.abort();
    }
  }

  /** Waits for the end of the response. */
  async ended(): Promise<void> {
    while (await this.#more());
  }

  async close(): Promise<void> {
    await this.#reader.cancel().catch(() => undefined);
  }

  /** Reads once for everybody who waits. @returns false at the end. */
  #more(): Promise<boolean> {
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #read(): Promise<boolean> {
    const { done, value } = await this.#reader.read().catch(() => ({ done: true, value: undefined }));
    if (done || value === undefined) return false;
    this.#text = (this.#text + this.#decoder.decode(value, { stream: true })).slice(-TEXT_LENGTH_MAX);
    return true;
  }
}
