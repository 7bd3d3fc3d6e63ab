/**
 * Sessions of the crash test, which follow the streams that its writers write to. What a session has of a source is exactly
 * what the source has from the place on where the session began to follow it.
 */
import { setTimeout as delay } from "node:timers/promises";

import { halves, type Entry } from "./crash-ledger.ts";
import { attempt, type Round } from "./crash-writers.ts";
import { get, JSON_TYPE, send } from "./requests.ts";

const ARRIVAL_MS_MAX = 60_000;
const POLL_MS = 25;

/** A session that follows sources, and where it began in each. */
export class FollowingSession {
  readonly name: string;
  /** The offsets of the sources to which it has subscribed, as the server has told them. */
  readonly #begins = new Map<string, string>();
  /** A source that it has asked for and that nobody has confirmed. */
  #unanswered: { readonly source: string; readonly from: string } | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** @returns whether an answer came. */
  async follow({ url, onAcknowledged }: Round, source: string, from: string): Promise<boolean> {
    this.#unanswered = { source, from };
    const body = JSON.stringify({ estuaryId: this.name, from });
    const path = url.replace(/stream$/, `estuary/subscribe/${source}`);
    const answer = await attempt("POST", path, { headers: JSON_TYPE, body });
    if (answer === undefined) return false;
    this.#unanswered = undefined;
    this.#begins.set(source, (JSON.parse(answer.text) as { readonly offset: string }).offset);
    onAcknowledged();
    return true;
  }

  /** Waits for what is on its way. @returns what is wrong for good, in words. */
  async faults(round: Round): Promise<readonly string[]> {
    // Subscribing is idempotent: this tells where it began, or begins now.
    if (this.#unanswered !== undefined) await this.follow(round, this.#unanswered.source, this.#unanswered.from);
    const expected = new Map<string, readonly string[]>();
    for (const [source, offset] of this.#begins)
      expected.set(source, await contentOf(`${round.url}/${source}`, offset));
    const session = `${round.url}/${this.name}`;
    for (const end = Date.now() + ARRIVAL_MS_MAX; ; await delay(POLL_MS)) {
      const held = await contentOf(session, "-1");
      const faults = differences(this.name, held, expected);
      if (faults.length === 0 || Date.now() > end) return faults;
    }
  }
}

/** Creates a stream, lets a session follow it, appends to it and deletes it, again and again under one name. */
export class FollowedRecreatingWriter {
  readonly writer: string;
  /** Of those four, in turn. */
  acknowledged = 0;

  constructor(writer: string) {
    this.writer = writer;
  }

  get session(): string {
    return `session-${this.writer}`;
  }

  async run(round: Round): Promise<void> {
    while (await this.#next(round)) {
      this.acknowledged += 1;
      round.onAcknowledged();
    }
  }

  /** @returns what is wrong with what the session holds, in words. What was deleted before it was delivered may be missing. */
  async faults({ url }: Round): Promise<readonly string[]> {
    const isThere = (await send("HEAD", `${url}/${this.writer}`)).status === 200;
    const last = Math.floor(this.acknowledged / 4);
    const isExpected = isThere && this.acknowledged % 4 === 3;
    for (const end = Date.now() + ARRIVAL_MS_MAX; ; await delay(POLL_MS)) {
      const held = this.acknowledged < 2 ? [] : await contentOf(`${url}/${this.session}`, "-1");
      const numbers = held.filter((_, index) => index % 2 === 0).map((text) => (JSON.parse(text) as Entry).n);
      const faults: string[] = [];
      const whole = numbers.flatMap((n) => halves(this.writer, n).map((half) => JSON.stringify(half)));
      if (whole.join("\n") !== held.join("\n")) faults.push(`${this.session} holds an append in part`);
      if (numbers.some((n, index) => n > last || n <= (numbers[index - 1] ?? -1)))
        faults.push(`${this.session} holds ${numbers.join(" ")} after ${this.acknowledged} requests`);
      if (isExpected && numbers.at(-1) !== last) faults.push(`${this.session} misses ${last}`);
      if (faults.length === 0 || Date.now() > end) return faults;
    }
  }

  async #next({ url }: Round): Promise<boolean> {
    const source = `${url}/${this.writer}`;
    const n = Math.floor(this.acknowledged / 4);
    switch (this.acknowledged % 4) {
      case 0:
        return (await attempt("PUT", source, { headers: JSON_TYPE })) !== undefined;
      case 1: {
        const body = JSON.stringify({ estuaryId: this.session, from: "-1" });
        const path = url.replace(/stream$/, `estuary/subscribe/${this.writer}`);
        return (await attempt("POST", path, { headers: JSON_TYPE, body })) !== undefined;
      }
      case 2: {
        // As a producer, so that it is idempotent after a crash.
        const headers = { ...JSON_TYPE, "Producer-Id": "w", "Producer-Epoch": "0", "Producer-Seq": "0" };
        const body = JSON.stringify(halves(this.writer, n));
        return (await attempt("POST", source, { headers, body })) !== undefined;
      }
      default:
        return (await attempt("DELETE", source, {}, [404])) !== undefined;
    }
  }
}

/** Where a session lacks something of a source, has too much of it, or has it in another order. */
function differences(
  session: string,
  held: readonly string[],
  expected: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const bySource = new Map<string, string[]>([...expected.keys()].map((source) => [source, []]));
  for (const text of held) {
    // `plain-hot-…`, `producer-hot-…`
    const source = (JSON.parse(text) as Entry).writer.split("-")[1] ?? "";
    const list = bySource.get(source);
    if (list === undefined) return [`${session} holds ${text}, whose source it does not follow`];
    list.push(text);
  }
  const faults: string[] = [];
  for (const [source, wanted] of expected) {
    const have = bySource.get(source) ?? [];
    const at = have.findIndex((text, index) => text !== wanted[index]);
    if (at >= 0) faults.push(`${session}: message ${at} of ${source} is ${have[at]}, not ${wanted[at]}`);
    else if (have.length < wanted.length)
      faults.push(`${session} holds ${have.length} of ${wanted.length} messages of ${source}`);
  }
  return faults;
}

/** The messages from an offset on, each as its text. */
async function contentOf(url: string, offset: string): Promise<readonly string[]> {
  const { status, text } = await get(`${url}?offset=${offset}`);
  if (status !== 200) throw new Error(`GET ${url}: ${status} ${text}`);
  return (JSON.parse(text) as Entry[]).map((entry) => JSON.stringify(entry));
}
