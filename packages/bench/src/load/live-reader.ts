/**
 * A live reader over SSE or long-poll that reports each message when it arrives. Servers end SSE responses after a while, and
 * some then close the connection. The reader continues from its offset, as clients do.
 */
import type { Socket } from "node:net";

import { formatRequest, openSocket } from "./connection.ts";
import type { LiveJob } from "./job.ts";
import { ResponseParser } from "./response-parser.ts";

/**
 * The maximum length of a message or of a header that is read. This much of the input is searched again with the next chunk.
 */
const OVERLAP = 256;
const MESSAGE = /"dueUs":(\d+)[,}]/g;
const STATUS = /^HTTP\/1\.1 (\d+)/;
const NEXT_OFFSET = /^stream-next-offset: *(\S+)\r$/gim;
const NEXT_EVENT_OFFSET = /"streamNextOffset":"([^"]+)"/g;
const CURSOR = /^stream-cursor: *(\S+)\r$/gim;

interface Events {
  /** @param dueUs when the message was due, as it says itself. */
  readonly message: (dueUs: number) => void;
  /** Called when the reader will miss no further message. */
  readonly ready: () => void;
  readonly failed: (error: Error) => void;
}

export class LiveReader {
  #socket: Socket;
  readonly #job: LiveJob;
  readonly #events: Events;
  #parser = new ResponseParser();
  #offset: string;
  #cursor: string | undefined;
  #text = "";
  #isBegun = false;
  #isClosed = false;

  static async open(job: LiveJob, events: Events): Promise<LiveReader> {
    return new LiveReader(await openSocket(job.url), job, events);
  }

  private constructor(socket: Socket, job: LiveJob, events: Events) {
    [this.#socket, this.#job, this.#events, this.#offset] = [socket, job, events, job.offset];
    this.#use(socket);
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.removeAllListeners("close").destroy();
  }

  #use(socket: Socket): void {
    this.#socket = socket;
    this.#parser = new ResponseParser();
    this.#text = "";
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("error", (error) => this.#events.failed(error));
    socket.on("close", () => void this.#reopen().catch(this.#events.failed));
    this.#ask();
  }

  async #reopen(): Promise<void> {
    if (!this.#isBegun) throw new Error("The server closed a live reader's connection.");
    const socket = await openSocket(this.#job.url);
    if (this.#isClosed) socket.destroy();
    else this.#use(socket);
  }

  #ask(): void {
    const query = new URLSearchParams({ offset: this.#offset, live: this.#job.mode });
    if (this.#cursor !== undefined) query.set("cursor", this.#cursor);
    const url = `${this.#job.url}?${query.toString()}`;
    this.#socket.write(formatRequest({ url, method: "GET", headers: this.#job.headers, body: "" }));
    // A long-poll is answered only when there is data, so nothing shows that it has begun to wait.
    if (this.#job.mode === "long-poll") this.#events.ready();
  }

  #take(bytes: Buffer): void {
    const text = this.#text + bytes.toString("latin1");
    let taken = Math.max(0, text.length - OVERLAP);
    for (const match of text.matchAll(MESSAGE)) {
      this.#events.message(Number(match[1]));
      taken = Math.max(taken, match.index + match[0].length);
    }
    if (this.#job.mode === "sse") this.#readEvents(text);
    else this.#readHeaders(text);
    this.#text = text.slice(taken);
    if (this.#isAnswered(bytes)) this.#ask();
  }

  #readEvents(text: string): void {
    for (const [, offset] of text.matchAll(NEXT_EVENT_OFFSET)) this.#offset = offset ?? this.#offset;
    if (this.#isBegun) return;
    const status = STATUS.exec(text)?.[1] ?? "200";
    if (status !== "200") this.#events.failed(new Error(`The SSE request was answered with status ${status}.`));
    this.#isBegun = text.includes("event: control");
    if (this.#isBegun) this.#events.ready();
  }

  #readHeaders(text: string): void {
    for (const [, offset] of text.matchAll(NEXT_OFFSET)) this.#offset = offset ?? this.#offset;
    for (const [, cursor] of text.matchAll(CURSOR)) this.#cursor = cursor ?? this.#cursor;
  }

  #isAnswered(bytes: Buffer): boolean {
    const answer = this.#parser.take(bytes);
    if (answer !== undefined && answer.status > 299) {
      this.#events.failed(new Error(`A live reader's request was answered with status ${answer.status}.`));
    }
    return answer !== undefined;
  }
}
