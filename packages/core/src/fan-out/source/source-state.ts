/**
 * How far the followers of a source have got, as it is written down and as the running object knows it. What is written
 * down may be older than what was delivered, never newer.
 */

import type { Database } from "../../kit/database.ts";
import { hasLinkTables, readSource, writeSource, type SourceRow } from "./link-rows.ts";

/** Comes after every session's name. */
export const EVERYBODY = "\u{10ffff}";

const NEW_SOURCE: SourceRow = {
  token: null,
  incarnation: 0,
  contentType: "",
  position: 0,
  round: null,
  closedAt: null,
  endedIncarnation: 0,
  activeAtMs: 0,
};

export class SourceState {
  readonly #database: Database;
  #row: SourceRow | undefined;
  /** Sessions up to this name are being served, or have been, in this round. */
  #claimed = "";
  #beginnings = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  get row(): SourceRow {
    if (this.#row !== undefined) return this.#row;
    const stored = hasLinkTables(this.#database) ? readSource(this.#database) : undefined;
    this.#row = stored ?? NEW_SOURCE;
    this.#claimed = this.#row.round?.sent?.upTo ?? this.#row.round?.after ?? "";
    return this.#row;
  }

  /** How often the positions were begun anew: what was under way then says nothing about the new ones. */
  get beginnings(): number {
    return this.#beginnings;
  }

  write(change: Partial<SourceRow>): void {
    this.#row = { ...this.row, ...change };
    writeSource(this.#database, this.#row);
  }

  /** Not on disk: after a crash it begins again. */
  beginRound(to: number, closedAt: number | null): void {
    this.#row = { ...this.row, round: { to, after: "" }, closedAt };
  }

  /** The source has begun a new life. @param change where its followers stand. */
  beginAnew(change: Partial<SourceRow>): void {
    this.#beginnings += 1;
    this.giveUpRound(change);
  }

  giveUpRound(change: Partial<SourceRow>): void {
    this.#claimed = "";
    this.write({ ...change, round: null });
  }

  /** Sessions up to this one are about to be served. */
  claim(session: string): void {
    if (session > this.#claimed) this.#claimed = session;
  }

  /** Sessions up to this one are served from the queue. @param atMs since when. */
  sendShards(upTo: string, atMs: number): void {
    const { round } = this.row;
    if (round === null) return;
    this.claim(upTo);
    this.write({ round: { ...round, sent: { upTo, atMs } } });
  }

  /** Sessions up to one have the round's page; everybody, and the round is over. */
  reached(session: string, activeAtMs: number): void {
    const { round } = this.row;
    if (round === null) return;
    const isEnd = session === EVERYBODY;
    const after = session > round.after ? session : round.after;
    this.#claimed = isEnd ? "" : (round.sent?.upTo ?? after);
    this.write({
      activeAtMs,
      ...(isEnd ? { position: round.to, round: null } : { round: { ...round, after } }),
    });
  }

  /** Nothing is kept. */
  forget(): void {
    this.#row = undefined;
  }

  /** How far a session has got whose link keeps up. */
  sharedPosition(session: string): number {
    const { position, round } = this.row;
    return round !== null && session <= round.after ? round.to : position;
  }

  /** How far it will be taken to have got when the calls under way have ended. */
  claimedPosition(session: string): number {
    const { position, round } = this.row;
    return round !== null && session <= this.#claimed ? round.to : Math.max(position, this.sharedPosition(session));
  }
}
