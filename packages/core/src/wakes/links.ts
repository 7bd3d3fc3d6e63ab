/**
 * The streams of one subscription, and the cursor for each. A link is stored before its stream is asked for notifications. So
 * everything appended since the link was created counts as new, however late the stream learns of the link.
 */

import { matchesGlob, ZERO_OFFSET } from "@durable-streams-cloudflare/protocol";

import type { StreamChange, StreamNotification, WantResult } from "../contracts/wakes.ts";
import { mapConcurrent } from "../kit/map-concurrent.ts";
import type { WakeSubscriptionHost } from "./host.ts";
import {
  countLinks,
  deleteLink,
  linksToAsk,
  readLink,
  updateAsk,
  updateTail,
  writeLink,
  type LinkRow,
} from "./tables/subscription-rows.ts";
import { backoffMs } from "./wake-states.ts";

/** Streams of one subscription. */
export const LINKS_MAX = 10_000;
/** Streams that are asked at once. */
const CALLS_MAX = 16;

/** What a stream answers that is not there. */
const GONE: ReadonlySet<string> = new Set(["stream-not-found", "stream-deleted"]);

export type LinkKind = "explicit" | "glob";

export class Links {
  readonly #host: WakeSubscriptionHost;
  readonly #project: string;
  /** How often a link has begun anew, or its stream sent a notification that only asking makes use of, while any is asked. */
  readonly #renewals = new Map<string, number>();
  #asking = 0;

  constructor(host: WakeSubscriptionHost) {
    this.#host = host;
    this.#project = host.name.slice(0, host.name.indexOf("/"));
  }

  /** Begins a link, unless it is there. @returns whether there was room for it. */
  add(path: string, kind: LinkKind, sinceMs: number): boolean {
    const { database } = this.#host;
    const known = readLink(database, path);
    const isThere = known !== undefined && isLinked(known);
    if (isThere && (kind === "explicit" ? known.isExplicit : known.isGlob)) return true;
    if (known === undefined && countLinks(database) >= LINKS_MAX) return false;
    const row = isThere ? known : newLink(path, sinceMs, this.#host.now());
    this.#renew(path);
    writeLink(database, { ...row, ...(kind === "explicit" ? { isExplicit: true } : { isGlob: true }) }, sinceMs);
    return true;
  }

  /** Takes back that a stream was named. @param keep whether acknowledgements under way may still speak of it. */
  removeExplicit(path: string, keep: boolean): void {
    const row = readLink(this.#host.database, path);
    if (row?.isExplicit !== true) return;
    if (row.isGlob) writeLink(this.#host.database, { ...row, isExplicit: false }, this.#host.now());
    else this.#drop(row, keep);
  }

  /** @returns whether the stream should keep notifying. */
  notify({ stream, incarnation, tail }: StreamNotification): boolean {
    const { database } = this.#host;
    const row = readLink(database, stream);
    if (row === undefined || !isLinked(row)) return false;
    if (row.incarnation !== incarnation) {
      if (row.incarnation === null || row.incarnation < incarnation) this.#askSoon(row);
    } else if (tail > row.tail) updateTail(database, stream, tail, this.#host.now());
    return true;
  }

  /** @param pattern the subscription's. @param keep see `removeExplicit`. @returns whether there was room for it. */
  discover(change: StreamChange, pattern: string | null, sinceMs: number, keep: boolean): boolean {
    const { stream, incarnation, hasEnded } = change;
    const row = readLink(this.#host.database, stream);
    const isNew = row === undefined || row.incarnation === null || row.incarnation < incarnation;
    if (hasEnded) {
      if (row === undefined || !(isNew || row.incarnation === incarnation)) return true;
      // Whatever made somebody ask the stream may be newer than this end: what the stream answers decides.
      if (isLinked(row) && row.askAtMs !== null) this.#askSoon(row);
      else this.#end(row, keep);
      return true;
    }
    if (!isNew) return true;
    if (row !== undefined && isLinked(row)) this.#askSoon(row);
    return pattern === null || !matchesGlob(pattern, stream) || this.add(stream, "glob", sinceMs);
  }

  /** Asks the streams that are due to be asked. @returns how many. */
  async askDue(limit: number, keep: () => boolean): Promise<number> {
    const due = linksToAsk(this.#host.database, this.#host.now(), limit);
    await mapConcurrent(due, CALLS_MAX, (row) => this.#ask(row, keep));
    return due.length;
  }

  /** Asks some streams how far they have got. */
  async refresh(rows: readonly LinkRow[], keep: () => boolean): Promise<void> {
    await mapConcurrent(rows, CALLS_MAX, (row) => this.#ask(row, keep));
  }

  async #ask({ path, sinceMs }: LinkRow, keep: () => boolean): Promise<void> {
    const { database, name: consumer } = this.#host;
    const stream = this.#host.stream(`${this.#project}/${path}`);
    const renewals = this.#renewals.get(path);
    this.#asking += 1;
    const answer = await stream.want({ consumer, sinceMs }).catch(() => undefined);
    // What the stream has answered may be older than what made somebody ask again.
    const isOld = this.#renewals.get(path) !== renewals;
    this.#asking -= 1;
    if (this.#asking === 0) this.#renewals.clear();
    const row = readLink(database, path);
    if (row === undefined || !isLinked(row)) return;
    if (answer?.ok === true) return this.#meet(row, answer, isOld ? row.askAtMs : null);
    if (isOld) return;
    if (answer !== undefined && GONE.has(answer.problem.code)) return this.#end(row, keep());
    const askAtMs = this.#host.now() + backoffMs(row.failures + 1, this.#host.random());
    updateAsk(database, path, { askAtMs, failures: row.failures + 1 });
  }

  #meet(row: LinkRow, { incarnation, from, tail }: WantResult, askAtMs: number | null): void {
    const known = row.incarnation ?? 0;
    if (incarnation < known) return;
    const isNew = incarnation > known;
    const cursor = isNew ? { incarnation, acked: from, tail } : { tail: tail > row.tail ? tail : row.tail };
    const hasGrown = isNew || tail > row.tail;
    if (!hasGrown && row.askAtMs === askAtMs) return;
    writeLink(this.#host.database, { ...row, ...cursor, askAtMs, failures: 0 }, this.#host.now());
  }

  /** The stream is gone. One that was named may come again. */
  #end(row: LinkRow, keep: boolean): void {
    if (!row.isExplicit) return this.#drop(row, keep);
    const nothing = { incarnation: null, tail: row.acked, askAtMs: null, failures: 0 };
    writeLink(this.#host.database, { ...row, ...nothing, isGlob: false }, this.#host.now());
  }

  #drop(row: LinkRow, keep: boolean): void {
    const { database } = this.#host;
    if (!keep) return deleteLink(database, row.path);
    const orphan = { isExplicit: false, isGlob: false, tail: row.acked, incarnation: null, askAtMs: null };
    writeLink(database, { ...row, ...orphan }, this.#host.now());
  }

  #askSoon({ path, failures }: LinkRow): void {
    this.#renew(path);
    updateAsk(this.#host.database, path, { askAtMs: this.#host.now(), failures });
  }

  #renew(path: string): void {
    if (this.#asking > 0) this.#renewals.set(path, (this.#renewals.get(path) ?? 0) + 1);
  }
}

function isLinked({ isExplicit, isGlob }: LinkRow): boolean {
  return isExplicit || isGlob;
}

/** It has nothing new until its stream has answered. */
function newLink(path: string, sinceMs: number, nowMs: number): LinkRow {
  return {
    path,
    isExplicit: false,
    isGlob: false,
    sinceMs,
    incarnation: null,
    acked: ZERO_OFFSET,
    tail: ZERO_OFFSET,
    askAtMs: nowMs,
    failures: 0,
  };
}
