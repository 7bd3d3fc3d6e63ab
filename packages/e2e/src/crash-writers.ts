/** The writers of the crash test. Each has one request under way at a time and goes on until a connection breaks. */
import { halves, type Promised } from "./crash-ledger.ts";
import { CLOSE, JSON_TYPE, producer, send, type Answer, type RequestParts } from "./requests.ts";

/** One run of the server. */
export interface Round {
  readonly url: string;
  /** Called for each acknowledged request. */
  readonly onAcknowledged: () => void;
}

abstract class Writer implements Promised {
  readonly writer: string;
  acknowledged = 0;
  unanswered = false;

  constructor(writer: string) {
    this.writer = writer;
  }

  /** @returns whether an answer came. @throws Error when it is a refusal. */
  protected async append(round: Round, stream: string, headers: Readonly<Record<string, string>>): Promise<boolean> {
    this.unanswered = true;
    const body = JSON.stringify(halves(this.writer, this.acknowledged));
    const answer = await attempt("POST", `${round.url}/${stream}`, { headers: { ...JSON_TYPE, ...headers }, body });
    if (answer === undefined) return false;
    this.acknowledged += 1;
    this.unanswered = false;
    round.onAcknowledged();
    return true;
  }
}

/** Does not know after a crash whether its last append was stored, so it writes in one run only. */
export class PlainWriter extends Writer {
  async run(round: Round, stream: string): Promise<void> {
    while (await this.append(round, stream, {}));
  }
}

/** Sends after a crash what was not answered, under the same sequence number. */
export class ProducerWriter extends Writer {
  /** Statuses of what it sent again although it had been acknowledged. */
  readonly repeated: number[] = [];

  async run(round: Round, stream: string): Promise<void> {
    if (this.acknowledged > 0 && !(await this.#repeatLast(round, stream))) return;
    while (await this.append(round, stream, producer(this.acknowledged, 0, this.writer)));
  }

  async #repeatLast(round: Round, stream: string): Promise<boolean> {
    const last = this.acknowledged - 1;
    const headers = { ...JSON_TYPE, ...producer(last, 0, this.writer) };
    const body = JSON.stringify(halves(this.writer, last));
    const answer = await attempt("POST", `${round.url}/${stream}`, { headers, body });
    if (answer !== undefined) this.repeated.push(answer.status);
    return answer !== undefined;
  }
}

/** Creates a stream, appends to it, and closes it with a second append. */
export class ClosingWriter extends Writer {
  get wasClosed(): boolean {
    return this.acknowledged === 2;
  }

  /** The stream has the writer's name. @returns whether all was answered. */
  async run(round: Round): Promise<boolean> {
    const created = await attempt("PUT", `${round.url}/${this.writer}`, { headers: JSON_TYPE });
    return (
      created !== undefined &&
      (await this.append(round, this.writer, {})) &&
      (await this.append(round, this.writer, CLOSE))
    );
  }
}

/** Forks a stream, and appends to the fork. */
export class ForkingWriter extends Writer {
  isCreated = false;

  /** The fork has the writer's name. @returns whether all was answered. */
  async run(round: Round, source: string): Promise<boolean> {
    const headers = { ...JSON_TYPE, "Stream-Forked-From": `/v1/stream/${source}` };
    if ((await attempt("PUT", `${round.url}/${this.writer}`, { headers })) === undefined) return false;
    this.isCreated = true;
    return this.append(round, this.writer, {});
  }
}

/** Creates a stream, appends to it and deletes it, again and again under one name. */
export class RecreatingWriter {
  readonly writer: string;
  /** Of those three, in turn. */
  acknowledged = 0;

  constructor(writer: string) {
    this.writer = writer;
  }

  async run(round: Round): Promise<void> {
    const url = `${round.url}/${this.writer}`;
    const methods = ["PUT", "POST", "DELETE"] as const;
    for (;;) {
      const method = methods[this.acknowledged % 3] ?? "PUT";
      const body = method === "POST" ? { body: this.contentAfter(this.acknowledged + 1) ?? "" } : {};
      if ((await attempt(method, url, { headers: JSON_TYPE, ...body })) === undefined) return;
      this.acknowledged += 1;
      round.onAcknowledged();
    }
  }

  /** What the stream holds after so many requests; `undefined`: it does not exist. */
  contentAfter(requests: number): string | undefined {
    if (requests % 3 === 0) return undefined;
    return requests % 3 === 1 ? "[]" : JSON.stringify(halves(this.writer, Math.floor(requests / 3)));
  }
}

/**
 * @param expected refusals that are as good as an answer.
 * @returns undefined when the connection broke: the server may or may not have done it.
 */
export async function attempt(
  method: string,
  url: string,
  parts: RequestParts,
  expected: readonly number[] = [],
): Promise<Answer | undefined> {
  const answer = await send(method, url, parts).catch((error: unknown) => {
    if (error instanceof TypeError) return undefined;
    throw error;
  });
  if (answer !== undefined && answer.status >= 300 && !expected.includes(answer.status))
    throw new Error(`${method} ${url}: ${answer.status} ${answer.text}`);
  return answer;
}
