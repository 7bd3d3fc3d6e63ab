/** One server-sent event. */
export interface StreamEvent {
  readonly type: string;
  readonly data: string;
}

/** Reads an SSE response event by event. */
export class EventReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  readonly #isBase64: boolean;
  #text = "";

  constructor(response: Response) {
    if (response.status !== 200 || response.body === null) throw new Error(`SSE was answered ${response.status}`);
    this.#reader = response.body.getReader();
    this.#isBase64 = response.headers.get("Stream-SSE-Data-Encoding") === "base64";
  }

  /** The next event; `undefined` when the response has ended. Comments are passed over. */
  async next(): Promise<StreamEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        if (block.startsWith(":")) continue;
        return this.#decoded(parse(block));
      }
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#text += this.#decoder.decode(value, { stream: true });
    }
  }

  /** Of text, which comes in base64 where SSE could not carry it as it is. */
  #decoded(event: StreamEvent): StreamEvent {
    if (!this.#isBase64 || event.type !== "data") return event;
    const bytes = Uint8Array.from(atob(event.data.replaceAll("\n", "")), (character) => character.charCodeAt(0));
    return { ...event, data: new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes) };
  }

  /** The next events, as `data:<payload>` and `control` with what it says of the stream's end. */
  async take(count: number): Promise<string[]> {
    const taken: string[] = [];
    while (taken.length < count) taken.push(describe(await this.next()));
    return taken;
  }

  /** All payloads together, until a control says that the stream is closed. */
  async untilClosed(): Promise<string> {
    let payloads = "";
    for (let event = await this.next(); event !== undefined; event = await this.next()) {
      if (event.type === "data") payloads += event.data;
    }
    return payloads;
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

function parse(block: string): StreamEvent {
  const lines = block.split("\n").map((line) => /^(event|data): ?([^]*)$/.exec(line));
  const of = (field: string): string[] => lines.flatMap((line) => (line?.[1] === field ? [line[2] ?? ""] : []));
  return { type: of("event").join(""), data: of("data").join("\n") };
}

function describe(event: StreamEvent | undefined): string {
  if (event === undefined) return "end";
  if (event.type === "data") return `data:${event.data}`;
  if (event.type === "problem") return `problem:${(JSON.parse(event.data) as { code: string }).code}`;
  const control = JSON.parse(event.data) as { upToDate?: boolean; streamClosed?: boolean; streamNextOffset: string };
  const position = Number(control.streamNextOffset.slice(17));
  return `control@${position}${control.upToDate === true ? " up-to-date" : ""}${control.streamClosed === true ? " closed" : ""}`;
}
