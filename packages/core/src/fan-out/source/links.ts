/** Creates and ends the links of a source. */

import { mediaType, refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import type { FollowResult, LinkCommand, LinkResult, UnlinkCommand } from "../../contracts/fan-out.ts";
import { isSameGrant, UNKNOWN_GRANT, type Grant } from "../../contracts/grant.ts";
import { isExpired, readLinkKey, writeLinkKey } from "./grant-rows.ts";
import { SOURCE_GONE, type FollowerSetHost } from "./host.ts";
import {
  createLinkTables,
  deleteLink,
  hasLinks,
  hasLinkTables,
  insertLink,
  insertUnwanted,
  isUnwanted,
  linksOfSession,
  readLink,
  updateGrant,
  updateUntil,
  type LinkRow,
} from "./link-rows.ts";
import type { SourceState } from "./source-state.ts";

export class Links {
  readonly #host: FollowerSetHost;
  readonly #source: SourceState;
  readonly #wake: () => void;
  #lastToken = 0;
  #making = 0;

  /** @param wake asks for a turn: there is something to deliver, or to tidy up. */
  constructor(host: FollowerSetHost, source: SourceState, wake: () => void) {
    this.#host = host;
    this.#source = source;
    this.#wake = wake;
  }

  /** Links that are being made: the source must not hear that nobody follows it. */
  get making(): number {
    return this.#making;
  }

  /** Begins a link, or gives it another grant. Idempotent: where it begins was decided the first time. */
  async link(command: LinkCommand): Promise<Result<LinkResult>> {
    const known = hasLinkTables(this.#host.database) ? readLink(this.#host.database, command) : undefined;
    if (known === undefined && command.isRenewal === true) return refuseOver();
    this.#making += 1;
    try {
      return await (known === undefined ? this.#make(command) : this.#renew(known, command));
    } finally {
      this.#making -= 1;
      if (hasLinkTables(this.#host.database) && !hasLinks(this.#host.database)) this.#wake();
    }
  }

  /** Ends a link. What was published before still arrives, unless the session is gone. Idempotent. */
  async unlink(command: UnlinkCommand): Promise<Result<object>> {
    const { database } = this.#host;
    const row = hasLinkTables(database) ? readLink(database, command) : undefined;
    if (command.refuseUntilMs > this.#host.now()) this.#refuseLate(command);
    if (row !== undefined && row.ended !== null) deleteLink(database, row);
    else if (row !== undefined && command.drain && row.until === null) {
      const tail = await this.#tailOf(row);
      if (!tail.ok) return tail;
      // The link has gone on meanwhile, or has fallen behind.
      const current = readLink(database, command);
      if (current !== undefined && current.until === null) this.#drain(current, tail.tail);
    } else if (row !== undefined && !command.drain) deleteLink(database, row);
    this.#wake();
    await this.#host.sync();
    return { ok: true };
  }

  /** A link is over whose grant or source has ended: another begins in its place. */
  async #renew(known: LinkRow, { grant = known }: LinkCommand): Promise<Result<LinkResult>> {
    if (known.ended !== null || isExpired(known, this.#host.now())) return refuseOver();
    // The notification that the source has ended may still be on its way, and another source may be in its place.
    const source = await this.#pullNothing(known);
    if (!source.ok) {
      if (!SOURCE_GONE.has(source.problem.code)) return source;
      this.#wake();
      return refuseOver();
    }
    const still = readLink(this.#host.database, known);
    if (still === undefined || still.ended !== null) return refuseOver();
    if (!isSameGrant(known, grant)) {
      const refused = await this.#refuseKey(grant, this.#source.row.token ?? this.#lastToken);
      if (refused !== undefined) return refused;
      const current = readLink(this.#host.database, known);
      if (current === undefined || current.ended !== null) return refuseOver();
      if (this.#isEndedKey(grant)) return refuseEndedKey();
      updateGrant(this.#host.database, known, grant);
      this.#wake();
      await this.#host.sync();
    }
    return { ok: true, offset: known.startOffset };
  }

  /** The project must know of the key before a link is made by it. */
  async #refuseKey({ kid }: Grant, token: number): Promise<Refusal | undefined> {
    const { database, keys, name } = this.#host;
    if (kid === null || keys === undefined) return undefined;
    if (readLinkKey(database, kid) === undefined) {
      const isAllowed = await keys.noteLinkKey({ kid, source: name, token });
      if (readLinkKey(database, kid) === undefined) writeLinkKey(database, { kid }, !isAllowed);
    }
    return this.#isEndedKey({ kid }) ? refuseEndedKey() : undefined;
  }

  #isEndedKey({ kid }: Pick<Grant, "kid">): boolean {
    return kid !== null && readLinkKey(this.#host.database, kid)?.isEnded === true;
  }

  async #make(command: LinkCommand): Promise<Result<LinkResult>> {
    const missing = this.#source.row.token === null ? await this.#missingSource() : undefined;
    if (missing !== undefined) return missing;
    const token = await this.#followToken();
    const { grant = UNKNOWN_GRANT } = command;
    const refused = await this.#refuseKey(grant, token);
    if (refused !== undefined) return refused;
    const followed = await this.#host.stream(this.#host.name).follow({ token, from: command.from });
    if (!followed.ok) return followed;
    const { contentType } = followed;
    if (command.format === "raw" && mediaType(contentType) !== mediaType(command.sessionContentType)) {
      return refuse(
        "content-type-mismatch",
        `The source's content type is ${contentType}, but the session's is ${command.sessionContentType}.`,
        { hint: "To follow sources of different content types in one session, use the format envelope." },
      );
    }
    // Ended while this went on.
    if (this.#isEndedKey(grant)) return refuseEndedKey();
    // After this instant the session may have taken the link back: nobody would ever do so again.
    if (this.#host.now() >= command.untilMs)
      return refuse("unavailable", "Linking the session to its source took too long.");
    if (isUnwanted(this.#host.database, command))
      return refuse("unavailable", "The link was withdrawn while the link was being made.");
    this.#host.database.transaction(() => this.#insert(command, followed));
    await this.#host.sync();
    return { ok: true, offset: readLink(this.#host.database, command)?.startOffset ?? followed.offset };
  }

  /** For a source that is not there nothing is written down. */
  async #missingSource(): Promise<Refusal | undefined> {
    const found = await this.#host.stream(this.#host.name).pull({ incarnation: 0, from: 0, to: null });
    return found.ok || found.problem.code === "offset-gone" ? undefined : found;
  }

  /** The token with which the source sends notifications, stored before the source gets it. */
  async #followToken(): Promise<number> {
    const known = this.#source.row.token;
    const token = known ?? Math.max(this.#host.now(), this.#lastToken + 1);
    this.#lastToken = token;
    if (known === null) {
      this.#host.database.transaction(() => {
        createLinkTables(this.#host.database);
        this.#source.write({ token, activeAtMs: this.#host.now() });
      });
      await this.#host.sync();
    }
    return token;
  }

  #insert(command: LinkCommand, { incarnation, contentType, position: start, offset }: FollowResult): void {
    const { database } = this.#host;
    const { session, sessionIncarnation, link, format, grant = UNKNOWN_GRANT } = command;
    if (readLink(database, command) !== undefined) return;
    const isFirst = this.#meet(incarnation, contentType, start);
    for (const earlier of linksOfSession(database, session)) {
      if (earlier.sessionIncarnation !== sessionIncarnation) deleteLink(database, earlier);
      // Its positions are those of a source that has ended: it ends with that, before this link delivers anything.
      else if (earlier.incarnation !== incarnation) continue;
      else if (earlier.until === null && earlier.ended === null && earlier.link < link) this.#drain(earlier, start);
    }
    const isBehind = start < this.#source.claimedPosition(session);
    const position = isBehind ? start : null;
    insertLink(database, {
      session,
      link,
      sessionIncarnation,
      format,
      incarnation,
      start,
      startOffset: offset,
      position,
      ...grant,
      sinceMs: this.#host.now(),
    });
    if (grant.expiresAtMs !== null) this.#wake();
    // A source that is closed says so to each new link.
    const isClosed = this.#source.row.closedAt !== null;
    if (isClosed) this.#source.write({ closedAt: null });
    // A link beside others, at the place where they are, waits with them for what comes.
    if (isFirst || isBehind || isClosed) this.#wake();
  }

  /** Links to an earlier incarnation of the source are over. @returns whether this link is the first of its incarnation. */
  #meet(incarnation: number, contentType: string, position: number): boolean {
    const known = this.#source.row.incarnation;
    const isFirst = !hasLinks(this.#host.database);
    if (known === incarnation && !isFirst) return false;
    const endedIncarnation = isFirst ? 0 : known;
    const activeAtMs = this.#host.now();
    this.#source.beginAnew({ incarnation, contentType, position, closedAt: null, endedIncarnation, activeAtMs });
    return true;
  }

  /** A call that makes the link may still be on its way. */
  #refuseLate(command: UnlinkCommand): void {
    this.#host.database.transaction(() => {
      createLinkTables(this.#host.database);
      this.#source.write({});
      insertUnwanted(this.#host.database, command, command.refuseUntilMs);
    });
  }

  async #tailOf(row: LinkRow): Promise<Result<{ tail: number }>> {
    const result = await this.#pullNothing(row);
    if (result.ok) return { ok: true, tail: result.tail };
    // With its source what was not delivered is gone, too.
    return SOURCE_GONE.has(result.problem.code) ? { ok: true, tail: row.start } : result;
  }

  /** How far the link's source is, if it is still there. */
  #pullNothing({ incarnation }: LinkRow): Promise<Result<{ tail: number }>> {
    const from = Number.MAX_SAFE_INTEGER;
    return this.#host.stream(this.#host.name).pull({ incarnation, from, to: null });
  }

  /** The link runs out at a position, or at once when it is there. */
  #drain(row: LinkRow, until: number): void {
    const { database } = this.#host;
    const position = row.position ?? Math.max(row.start, this.#source.sharedPosition(row.session));
    if (position >= until) deleteLink(database, row);
    else updateUntil(database, row, position, until);
    this.#wake();
  }
}

function refuseOver(): Refusal {
  return refuse("subscription-not-found", "The link to this source has ended.");
}

function refuseEndedKey(): Refusal {
  return refuse(
    "forbidden",
    "All links made with this token's key were ended, and the key can no longer create links.",
    {
      hint: "Use a token that is signed with another secret of the project.",
    },
  );
}
