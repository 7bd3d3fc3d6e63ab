/**
 * How far the source has been delivered to its followers, on disk and in memory. The stored position may be behind what was
 * delivered, never ahead of it.
 */

import { assertAtLeast } from "../../kit/assert.ts";
import type { Database } from "../../kit/database.ts";
import { hasLinkTables, readSource, writeSource, type SourceRow } from "./link-rows.ts";

/** Comes after every session's name. */
export const EVERYBODY = "\u{10ffff}";

const NEW_SOURCE: SourceRow = {
  token: null,
  incarnation: 0,
  contentType: "",
  position: 0,
  pass: null,
  closedAt: null,
  endedIncarnation: 0,
  activeAtMs: 0,
};

export class SourceState {
  readonly #database: Database;
  #row: SourceRow | undefined;
  /** Sessions up to this name are being served, or have been, in this pass. */
  #claimed = "";
  #beginnings = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  get row(): SourceRow {
    if (this.#row !== undefined) return this.#row;
    const stored = hasLinkTables(this.#database) ? readSource(this.#database) : undefined;
    this.#row = stored ?? NEW_SOURCE;
    this.#claimed = this.#row.pass?.sent?.upTo ?? this.#row.pass?.after ?? "";
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
  beginPass(to: number, closedAt: number | null): void {
    this.#row = { ...this.row, pass: { to, after: "" }, closedAt };
  }

  /** The source has a new incarnation. @param change how far its followers are. */
  beginAnew(change: Partial<SourceRow>): void {
    this.#beginnings += 1;
    this.abandonPass(change);
  }

  abandonPass(change: Partial<SourceRow>): void {
    this.#claimed = "";
    this.write({ ...change, pass: null });
  }

  /** Sessions up to this one are about to be served. */
  claim(session: string): void {
    if (session > this.#claimed) this.#claimed = session;
  }

  /** Sessions up to this one are served from the queue. @param atMs since when. */
  sendShards(upTo: string, atMs: number): void {
    const { pass } = this.row;
    if (pass === null) return;
    this.claim(upTo);
    this.write({ pass: { ...pass, sent: { upTo, atMs } } });
  }

  /** Sessions up to one have the pass's page; everybody, and the pass is over. */
  reached(session: string, activeAtMs: number): void {
    const { pass } = this.row;
    if (pass === null) return;
    const isEnd = session === EVERYBODY;
    if (isEnd) this.#assertGrows(pass.to);
    const after = session > pass.after ? session : pass.after;
    this.#claimed = isEnd ? "" : (pass.sent?.upTo ?? after);
    this.write({
      activeAtMs,
      ...(isEnd ? { position: pass.to, pass: null } : { pass: { ...pass, after } }),
    });
  }

  /** The position that all followers have reached never goes back. If it did, what is in memory is wrong: it is read anew. */
  #assertGrows(to: number): void {
    const { position } = this.row;
    if (to < position) this.forget();
    assertAtLeast("the position that all followers have reached", to, position);
  }

  /** Nothing is kept. */
  forget(): void {
    this.#row = undefined;
  }

  /** How far a session has got whose link keeps up. */
  sharedPosition(session: string): number {
    const { position, pass } = this.row;
    return pass !== null && session <= pass.after ? pass.to : position;
  }

  /** How far it will be taken to have got when the calls under way have ended. */
  claimedPosition(session: string): number {
    const { position, pass } = this.row;
    return pass !== null && session <= this.#claimed ? pass.to : Math.max(position, this.sharedPosition(session));
  }
}
