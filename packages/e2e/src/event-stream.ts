/** A reader of server-sent events that tests drive event by event. */

const LIMIT_MS = 30_000;

export interface Event {
  readonly type: string;
  readonly data: string;
  readonly id?: string;
}

export interface ControlEvent {
  readonly streamNextOffset: string;
  readonly streamCursor?: string;
  readonly upToDate?: boolean;
  readonly streamClosed?: boolean;
}

export class EventStream {
  readonly response: Response;
  readonly #abort: AbortController;
  readonly #events: AsyncGenerator<Event>;

  private constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
    this.#events = parse(response.body);
  }

  static async open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<EventStream> {
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(LIMIT_MS)]);
    return new EventStream(await fetch(url, { headers, signal }), abort);
  }

  /** The next event; `undefined` when the response has ended in good order. */
  async next(): Promise<Event | undefined> {
    const { done, value } = await this.#events.next();
    return done === true ? undefined : value;
  }

  /** The next event, which must be a `data`. */
  async data(): Promise<string> {
    return (await this.#expect("data")).data;
  }

  /** The next event, which must be a `control`. */
  async control(): Promise<ControlEvent> {
    return JSON.parse((await this.#expect("control")).data) as ControlEvent;
  }

  /** All events up to the end of the response. */
  async rest(): Promise<Event[]> {
    const events: Event[] = [];
    for (let event = await this.next(); event !== undefined; event = await this.next()) events.push(event);
    return events;
  }

  close(): void {
    this.#abort.abort();
  }

  async #expect(type: string): Promise<Event> {
    const event = await this.next();
    if (event?.type !== type) throw new Error(`expected a ${type} event, got ${JSON.stringify(event)}`);
    return event;
  }
}

/** As the HTML standard has it, except that our server ends lines with LF only. */
async function* parse(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Event> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const event = parseBlock(text.slice(0, end));
      text = text.slice(end + 2);
      if (event !== undefined) yield event;
    }
  }
  if (text !== "") throw new Error(`the response ended inside an event: ${JSON.stringify(text)}`);
}

function parseBlock(block: string): Event | undefined {
  const fields = block.split("\n").map((line): [string, string] => {
    const colon = line.indexOf(":");
    return colon < 0 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
  });
  const data = fields.filter(([name]) => name === "data").map(([, value]) => value);
  const type = fields.findLast(([name]) => name === "event")?.[1] ?? "message";
  const id = fields.findLast(([name]) => name === "id")?.[1];
  return data.length === 0 ? undefined : { type, data: data.join("\n"), ...(id === undefined ? {} : { id }) };
}
