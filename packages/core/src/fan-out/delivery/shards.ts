/**
 * Splits a delivery pass to very many sessions into shards, which are sent through a queue. A queue message holds references
 * only: its handler (`shard-dispatcher.ts`) asks this module for the links and fetches the page from the source. The queue may
 * lose, duplicate or reorder messages: sessions know by their watermarks what they have, and the object itself delivers
 * whatever is not delivered in time.
 */

import type { ShardResult, ShardFailure, ShardRef } from "../../contracts/fan-out.ts";
import { isExpired } from "../source/grant-rows.ts";
import type { FollowerSetHost } from "../source/host.ts";
import {
  deleteLink,
  linksBetween,
  readLink,
  sessionAfter,
  updateBehind,
  type LinkRow,
  type DeliveryPass,
} from "../source/link-rows.ts";
import { EVERYBODY, type SourceState } from "../source/source-state.ts";
import { RETRY_MS_MIN } from "./dispatcher.ts";

export interface ShardLimits {
  /** Delivery passes to more sessions than this go through the queue. */
  readonly shardedAbove: number;
  readonly shardSessions: number;
}

/** Few enough for what one invocation of a Worker may call. */
export const SHARD_SESSIONS = 128;

/** What a queue takes at once. */
const SHARDS_PER_SEND = 100;
/** Links of one shard, when many have come since it was sent. */
const SHARD_LINKS_MAX = 512;
/** After this long without a word the object serves the rest itself. */
const SHARDS_MS_MAX = 30_000;

export class Shards {
  readonly #host: FollowerSetHost;
  readonly #source: SourceState;
  readonly #wake: () => void;
  readonly #limits: ShardLimits;
  /** Served shards of a pass that others before them are missing from: where each ends, by where it begins. */
  readonly #served = new Map<string, string>();
  #servedPass = "";
  /** What was with the queue before this may have been lost with it, as on one machine. */
  readonly #beganAtMs: number;

  /** @param wake asks for a turn. */
  constructor(host: FollowerSetHost, source: SourceState, wake: () => void, limits: ShardLimits) {
    this.#host = host;
    this.#source = source;
    this.#wake = wake;
    this.#limits = limits;
    this.#beganAtMs = host.now();
  }

  /** Whether the whole pass is with the queue, and may still come back. */
  get areOut(): boolean {
    const { dueAtMs } = this;
    return dueAtMs !== undefined && this.#source.row.pass?.sent?.upTo === EVERYBODY && this.#host.now() < dueAtMs;
  }

  /** When the object goes on by itself, in ms; `undefined`: nothing is with the queue. */
  get dueAtMs(): number | undefined {
    const sent = this.#source.row.pass?.sent;
    return sent && (sent.atMs < this.#beganAtMs ? sent.atMs : sent.atMs + SHARDS_MS_MAX);
  }

  /** Gives the pass to the queue. @returns whether there are more shards to send; `undefined`: it is not for the queue. */
  async send(): Promise<boolean | undefined> {
    const { shards } = this.#host;
    const { pass, closedAt } = this.#source.row;
    // That a source is closed is said by the object itself.
    if (shards === undefined || pass === null || closedAt !== null || !this.#isForQueue(pass)) return undefined;
    const refs = this.#refsOf(pass);
    const upTo = refs.at(-1)?.upTo ?? EVERYBODY;
    this.#source.sendShards(upTo, this.#host.now());
    await this.#host.sync();
    try {
      await shards.send(refs);
    } catch (error) {
      this.#host.report(
        "The queue did not accept shards of a delivery; the sessions are served without the queue.",
        error,
      );
      this.recall();
      return true;
    }
    return upTo !== EVERYBODY;
  }

  /** The object serves the rest of the pass itself, from now on. */
  recall(): void {
    const sent = this.#source.row.pass?.sent;
    if (sent !== undefined) this.#source.sendShards(sent.upTo, 0);
  }

  /** The links to deliver a shard's page to; `null`: it is not wanted any more. */
  unwrap(ref: ShardRef): ShardResult | null {
    if (!this.#isWanted(ref)) return null;
    const { contentType } = this.#source.row;
    const rows = linksBetween(this.#host.database, ref.after, ref.upTo, SHARD_LINKS_MAX + 1);
    const bySession = Map.groupBy(rows, ({ session }) => session);
    // The last session's links may not all be there.
    const last = rows.length > SHARD_LINKS_MAX ? rows.at(-1)?.session : undefined;
    if (last !== undefined) bySession.delete(last);
    const links = [...bySession.values()].flatMap((own) => this.#linkToServe(own));
    const upTo = last === undefined ? ref.upTo : ([...bySession.keys()].at(-1) ?? ref.after);
    return { contentType, upTo, links };
  }

  /** A shard has been served, but for some. Idempotent. */
  served(ref: ShardRef, failures: readonly ShardFailure[]): void {
    if (!this.#isWanted(ref)) return;
    this.#host.database.transaction(() => {
      for (const failure of failures) this.#fail(failure);
      this.#advance(ref);
    });
    if (failures.length > 0 || this.#source.row.pass === null) this.#wake();
  }

  #isForQueue({ after, sent }: DeliveryPass): boolean {
    const { shardedAbove } = this.#limits;
    if (sent === undefined) return sessionAfter(this.#host.database, after, shardedAbove + 1) !== undefined;
    return sent.upTo !== EVERYBODY && this.#host.now() < (this.dueAtMs ?? 0);
  }

  #refsOf({ to, after, sent }: DeliveryPass): ShardRef[] {
    const { incarnation, position } = this.#source.row;
    const refs: ShardRef[] = [];
    for (let begin = sent?.upTo ?? after; begin !== EVERYBODY && refs.length < SHARDS_PER_SEND;) {
      const upTo = sessionAfter(this.#host.database, begin, this.#limits.shardSessions) ?? EVERYBODY;
      refs.push({ source: this.#host.name, incarnation, from: position, to, after: begin, upTo });
      begin = upTo;
    }
    return refs;
  }

  #isWanted({ incarnation, to, upTo }: ShardRef): boolean {
    const { row } = this.#source;
    const { pass } = row;
    return row.incarnation === incarnation && pass?.to === to && pass.sent !== undefined && upTo > pass.after;
  }

  /** The link of a session that keeps up. One that runs out, or that another comes before, is served by the object. */
  #linkToServe(own: readonly LinkRow[]): LinkRow[] {
    const current = own.filter((row) => row.position === null && row.incarnation === this.#source.row.incarnation);
    if (own.length === 1 && own[0]?.until === null && !isExpired(own[0], this.#host.now())) return current;
    for (const row of current) this.#fallBehind(row, 0);
    if (current.length > 0) this.#wake();
    return [];
  }

  #fail({ session, link, isOver }: ShardFailure): void {
    const row = readLink(this.#host.database, { session, link });
    if (row === undefined) return;
    if (isOver) deleteLink(this.#host.database, row);
    else if (row.position === null && session > (this.#source.row.pass?.after ?? "")) {
      this.#fallBehind(row, RETRY_MS_MIN);
    }
  }

  #fallBehind(row: LinkRow, delayMs: number): void {
    const position = Math.max(row.start, this.#source.sharedPosition(row.session));
    const retryAtMs = this.#host.now() + delayMs;
    updateBehind(this.#host.database, row, { position, failures: row.failures + (delayMs > 0 ? 1 : 0), retryAtMs });
  }

  /** The pass has got as far as shards are served without a gap. */
  #advance({ incarnation, to, after, upTo }: ShardRef): void {
    const servedPass = `${incarnation} ${to}`;
    if (this.#servedPass !== servedPass) this.#served.clear();
    this.#servedPass = servedPass;
    const known = this.#served.get(after) ?? "";
    this.#served.set(after, upTo > known ? upTo : known);
    let reached = this.#source.row.pass?.after ?? EVERYBODY;
    for (const [begin, end] of [...this.#served].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      if (begin > reached) break;
      if (end > reached) reached = end;
      this.#served.delete(begin);
    }
    if (reached !== this.#source.row.pass?.after) this.#source.reached(reached, this.#host.now());
  }
}
