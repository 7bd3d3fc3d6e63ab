/**
 * Everybody who follows one source: adds and removes links, and brings them what the source has, page by page, in the
 * turns of an alarm. A page goes to all links that keep up, in the order of their sessions' names: that is a round. A
 * link that fails falls behind, and is served by itself until it has caught up, so that it holds up nobody.
 *
 * What is written down may be older than what was delivered, never newer. Sessions know by their own marks what they
 * have, so what is brought again after a crash is not appended again.
 */

import { mediaType, refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import type { FollowFacts, LinkCommand, LinkFacts, SourceNews, UnlinkCommand } from "../rpc/fan-out.ts";
import { forEach } from "../rpc/for-each.ts";
import {
  createLinkTables,
  deleteLink,
  hasLinks,
  hasLinkTables,
  forgetUnwanted,
  insertLink,
  insertUnwanted,
  isUnwanted,
  linksOfSession,
  nextRetryMs,
  readLink,
  readSource,
  sessionsAfter,
  sessionsBehind,
  sessionsUpTo,
  updateUntil,
  writeSource,
  type LinkRow,
  type SourceRow,
} from "../storage/link-rows.ts";
import { Courier, type Route } from "./courier.ts";
import type { SubscriptionHost } from "./host.ts";
import { Pages, type Piece } from "./pages.ts";

/** Deliveries of one turn, well below what one invocation may call. */
const TURN_DELIVERIES = 512;
/** Of them, for links that have fallen behind, so that they get on while rounds go on and on. */
const TURN_DELIVERIES_BEHIND = 128;
/** Sessions that are read at once, and delivered to before that is written down. */
const BATCH_SESSIONS = 128;
/** Calls under way at once, and bytes that they hold together. */
const CALLS_MAX = 32;
const CALL_BYTES_MAX = 8 * 1024 * 1024;
/** Each of these may carry another page. */
const CALLS_MAX_BEHIND = 4;
/** A turn that came to nothing is repeated after this long. */
const RETRY_MS = 5_000;
/** When the subscription looks by itself, because word of news may get lost: after a time that grows with the silence. */
const WATCH_MS_MIN = 2_000;
const WATCH_MS_MAX = 6 * 3_600_000;
const WATCH_GROWTH = 7;

/** What a source answers that is not there any more. */
const GONE: ReadonlySet<string> = new Set(["stream-not-found", "stream-deleted", "offset-gone"]);
/** Comes after every session's name. */
const EVERYBODY = "\u{10ffff}";

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

export class Subscription {
  readonly #host: SubscriptionHost;
  #source: SourceRow | undefined;
  /** Sessions up to this name are being served, or have been, in this round. */
  #claimed = "";
  #isRunning = false;
  /** There was news while a turn went on. */
  #hasNews = false;
  /** How often the positions were begun anew: what was under way then says nothing about the new ones. */
  #beginnings = 0;
  #lastToken = 0;
  /** Links that are being made: the source must not be told that nobody follows it. */
  #linking = 0;

  constructor(host: SubscriptionHost) {
    this.#host = host;
  }

  /** Begins a link. May be repeated: the first time counts. */
  async link(command: LinkCommand): Promise<Result<LinkFacts>> {
    const known = hasLinkTables(this.#host.database) ? readLink(this.#host.database, command) : undefined;
    if (known !== undefined) return { ok: true, offset: known.startOffset };
    this.#linking += 1;
    try {
      const missing = this.#state().token === null ? await this.#missingSource() : undefined;
      if (missing !== undefined) return missing;
      const token = await this.#followToken();
      const followed = await this.#host.stream(this.#host.name).follow({ token, from: command.from });
      if (!followed.ok) return followed;
      const { contentType } = followed;
      if (command.format === "raw" && mediaType(contentType) !== mediaType(command.sessionContentType)) {
        return refuse(
          "content-type-mismatch",
          `The source has ${contentType}, the session ${command.sessionContentType}.`,
          { hint: "Sources of several content types go into one session as envelopes." },
        );
      }
      // After this instant the session may have taken the link back: nobody would ever do so again.
      if (this.#host.now() >= command.untilMs) return refuse("unavailable", "The link took too long to make.");
      if (isUnwanted(this.#host.database, command)) return refuse("unavailable", "The link was taken back.");
      this.#host.database.transaction(() => this.#insert(command, followed));
      await this.#host.sync();
      return { ok: true, offset: readLink(this.#host.database, command)?.startOffset ?? followed.offset };
    } finally {
      this.#linking -= 1;
      this.#wake();
    }
  }

  /** Ends a link. What was published before still arrives, unless the session is gone. May be repeated. */
  async unlink(command: UnlinkCommand): Promise<Result<object>> {
    const { database } = this.#host;
    const row = hasLinkTables(database) ? readLink(database, command) : undefined;
    if (command.refuseUntilMs > this.#host.now()) this.#refuseLate(command);
    if (row === undefined) {
      await this.#host.sync();
      return { ok: true };
    }
    if (command.drain && row.until === null) {
      const tail = await this.#tailOf(row);
      if (!tail.ok) return tail;
      // The link has gone on meanwhile, or has fallen behind.
      const current = readLink(database, command);
      if (current !== undefined && current.until === null) this.#drain(current, tail.tail);
    } else if (!command.drain) deleteLink(database, row);
    this.#wake();
    await this.#host.sync();
    return { ok: true };
  }

  /** The source says that there is news. */
  notify(news: SourceNews | null): number | null {
    if (!hasLinkTables(this.#host.database)) return null;
    if (!this.#isKnown(news) && hasLinks(this.#host.database)) this.#wake();
    return this.#state().token;
  }

  /** Whether all links that keep up have this already. */
  #isKnown(news: SourceNews | null): boolean {
    const { incarnation, position, round, closedAt } = this.#state();
    if (news === null || round !== null || this.#isRunning) return false;
    return news.incarnation === incarnation && news.tail === position && news.closed === (closedAt !== null);
  }

  /** One turn of deliveries. Set again before it works, should this object die meanwhile. */
  async alarm(): Promise<void> {
    if (!hasLinkTables(this.#host.database)) return;
    this.#host.setAlarm(this.#host.now() + RETRY_MS);
    this.#isRunning = true;
    this.#hasNews = false;
    let hasMore: boolean;
    try {
      hasMore = await this.#turn();
    } catch (error) {
      this.#host.report("A turn of deliveries broke off; it is repeated.", error);
      return;
    } finally {
      this.#isRunning = false;
    }
    await this.#rest(hasMore || this.#hasNews);
  }

  /** For a source that is not there nothing is written down. */
  async #missingSource(): Promise<Refusal | undefined> {
    const found = await this.#host.stream(this.#host.name).pull({ incarnation: 0, from: 0, to: null });
    return found.ok || found.problem.code === "offset-gone" ? undefined : found;
  }

  /** The token by which the source is to tell of news, written down before the source gets it. */
  async #followToken(): Promise<number> {
    const source = this.#state();
    const token = source.token ?? Math.max(this.#host.now(), this.#lastToken + 1);
    this.#lastToken = token;
    if (source.token === null) {
      this.#host.database.transaction(() => {
        createLinkTables(this.#host.database);
        this.#write({ ...source, token, activeAtMs: this.#host.now() });
      });
      await this.#host.sync();
    }
    return token;
  }

  #insert(command: LinkCommand, { incarnation, contentType, position: start, offset }: FollowFacts): void {
    const { database } = this.#host;
    const { session, sessionIncarnation, link, format } = command;
    if (readLink(database, command) !== undefined) return;
    this.#meet(incarnation, contentType, start);
    for (const earlier of linksOfSession(database, session)) {
      if (earlier.sessionIncarnation !== sessionIncarnation) deleteLink(database, earlier);
      else if (earlier.until === null && earlier.link < link) this.#drain(earlier, start);
    }
    const isBehind = start < this.#claimedPosition(session);
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
    });
    // A source that is closed says so to each new link.
    if (this.#state().closedAt !== null) this.#write({ ...this.#state(), closedAt: null });
  }

  /** The first link of a life of the source; links to an earlier life are over. */
  #meet(incarnation: number, contentType: string, position: number): void {
    const source = this.#state();
    const isFirst = !hasLinks(this.#host.database);
    if (source.incarnation === incarnation && !isFirst) return;
    const endedIncarnation = isFirst ? 0 : source.incarnation;
    this.#claimed = "";
    this.#beginnings += 1;
    const activeAtMs = this.#host.now();
    const beginning = { incarnation, contentType, position, round: null, closedAt: null };
    this.#write({ ...source, ...beginning, endedIncarnation, activeAtMs });
  }

  /** A call that makes the link may still be on its way. */
  #refuseLate(command: UnlinkCommand): void {
    this.#host.database.transaction(() => {
      createLinkTables(this.#host.database);
      writeSource(this.#host.database, this.#state());
      insertUnwanted(this.#host.database, command, command.refuseUntilMs);
    });
    this.#wake();
  }

  async #tailOf({ incarnation, start }: LinkRow): Promise<Result<{ tail: number }>> {
    const from = Number.MAX_SAFE_INTEGER;
    const facts = await this.#host.stream(this.#host.name).pull({ incarnation, from, to: null });
    if (facts.ok) return { ok: true, tail: facts.tail };
    // With its source what was not delivered is gone, too.
    return GONE.has(facts.problem.code) ? { ok: true, tail: start } : facts;
  }

  /** The link runs out at a position, or at once when it is there. */
  #drain(row: LinkRow, until: number): void {
    const { database } = this.#host;
    const position = row.position ?? Math.max(row.start, this.#sharedPosition(row.session));
    if (position >= until) deleteLink(database, row);
    else updateUntil(database, row, position, until);
  }

  /** @returns whether there is more to do at once. */
  async #turn(): Promise<boolean> {
    if (!hasLinks(this.#host.database)) return false;
    const { incarnation, endedIncarnation } = this.#state();
    if (endedIncarnation > 0) await this.#sayEnded(endedIncarnation);
    const pages = new Pages(this.#host, incarnation);
    const page = await this.#look(pages);
    if (page === undefined) return true;
    const hasMore = await this.#goRound(pages, page);
    return (await this.#serveBehind(pages)) || hasMore;
  }

  /**
   * Fetches the page of the round, or of the next one if there is anything.
   * @returns `undefined` when it is of no use: the source is gone, or has begun anew meanwhile.
   */
  async #look(pages: Pages): Promise<Result<Piece> | undefined> {
    const beginnings = this.#beginnings;
    const { position, round } = this.#state();
    const page = await pages.at(position, round?.to ?? null);
    if (this.#beginnings !== beginnings) return undefined;
    const source = this.#state();
    if (page.ok) {
      const closedAt = page.isLast ? page.to : source.closedAt;
      const isNews = page.to > position || closedAt !== source.closedAt;
      if (round === null && isNews) this.#write({ ...source, round: { to: page.to, after: "" }, closedAt }, "memory");
      return page;
    }
    if (!GONE.has(page.problem.code)) throw new Error(`The source cannot be read: ${page.problem.code}.`);
    if (source.endedIncarnation === source.incarnation) return page;
    this.#claimed = "";
    this.#write({ ...source, round: null, endedIncarnation: source.incarnation });
    return undefined;
  }

  /** Delivers the round's page to as many sessions as a turn may. @returns whether there may be more to deliver. */
  async #goRound(pages: Pages, page: Result<Piece>): Promise<boolean> {
    const beginnings = this.#beginnings;
    const { round } = this.#state();
    if (round === null) return false;
    const route = this.#routeOf(pages, TURN_DELIVERIES, () => round.to);
    const courier = new Courier(this.#host, route);
    for (let after = round.after; route.left > 0;) {
      const limit = Math.min(BATCH_SESSIONS, route.left);
      const sessions = sessionsAfter(this.#host.database, after, limit);
      const isEnd = sessions.length < limit;
      this.#claimed = isEnd ? EVERYBODY : (sessions.at(-1) ?? after);
      await forEach(sessions, callsFor(page), (session) => courier.serve(session));
      if (this.#beginnings !== beginnings) return true;
      after = sessions.at(-1) ?? after;
      this.#claimed = isEnd ? "" : after;
      const activeAtMs = this.#host.now();
      const reached = isEnd ? { position: round.to, round: null } : { round: { ...round, after } };
      this.#write({ ...this.#state(), ...reached, activeAtMs });
      if (isEnd) break;
    }
    return true;
  }

  /** @returns whether there may be more to do. */
  async #serveBehind(pages: Pages): Promise<boolean> {
    const { database } = this.#host;
    const sessions = sessionsBehind(database, this.#host.now(), TURN_DELIVERIES_BEHIND);
    if (sessions.length === 0) return false;
    const route = this.#routeOf(pages, TURN_DELIVERIES_BEHIND, (session) => this.#sharedPosition(session));
    const courier = new Courier(this.#host, route);
    await forEach(sessions, CALLS_MAX_BEHIND, (session) => courier.serve(session));
    return route.left <= 0;
  }

  /** Tells links to lives of the source that are over. */
  async #sayEnded(incarnation: number): Promise<void> {
    const sessions = sessionsUpTo(this.#host.database, incarnation, TURN_DELIVERIES);
    const pages = new Pages(this.#host, incarnation);
    const route = this.#routeOf(pages, TURN_DELIVERIES, (session) => this.#sharedPosition(session));
    const courier = new Courier(this.#host, route);
    await forEach(sessions, CALLS_MAX, (session) => courier.serve(session));
    const isDone = sessionsUpTo(this.#host.database, incarnation, 1).length === 0;
    if (isDone && this.#state().endedIncarnation === incarnation)
      this.#write({ ...this.#state(), endedIncarnation: 0 });
  }

  #routeOf(pages: Pages, left: number, target: Route["target"]): Route {
    const { incarnation, contentType, closedAt, endedIncarnation } = this.#state();
    const shared = (session: string): number => this.#sharedPosition(session);
    return { pages, incarnation, contentType, shared, target, endedIncarnation, closedAt, left };
  }

  /** How far a session has got whose link keeps up. */
  #sharedPosition(session: string): number {
    const { position, round } = this.#state();
    return round !== null && session <= round.after ? round.to : position;
  }

  /** How far it will be taken to have got when the calls under way have ended. */
  #claimedPosition(session: string): number {
    const { position, round } = this.#state();
    return round !== null && session <= this.#claimed ? round.to : Math.max(position, this.#sharedPosition(session));
  }

  /** Sets the alarm for what comes next; without links nothing does. */
  async #rest(hasMore: boolean): Promise<void> {
    const forgetAtMs = forgetUnwanted(this.#host.database, this.#host.now());
    if (!hasLinks(this.#host.database) && this.#linking === 0) return this.#retire(forgetAtMs);
    const now = this.#host.now();
    const silenceMs = Math.max(0, now - this.#state().activeAtMs);
    const watchMs = Math.min(Math.max(silenceMs * WATCH_GROWTH, WATCH_MS_MIN), WATCH_MS_MAX);
    const retryAtMs = nextRetryMs(this.#host.database) ?? Infinity;
    this.#host.setAlarm(hasMore ? now : Math.min(Math.max(retryAtMs, now), now + watchMs));
  }

  /** Nobody follows any more: the source need not tell of news, and nothing is kept. */
  async #retire(forgetAtMs: number | undefined): Promise<void> {
    const { token } = this.#state();
    if (token !== null) {
      this.#write({ ...this.#state(), token: null });
      await this.#host.sync();
      await this.#host.stream(this.#host.name).unfollow(token);
    }
    if (forgetAtMs !== undefined) return this.#host.setAlarm(forgetAtMs);
    if (this.#linking > 0 || this.#state().token !== null || hasLinks(this.#host.database)) return;
    this.#source = undefined;
    await this.#host.purge();
  }

  #wake(): void {
    if (this.#isRunning) this.#hasNews = true;
    else if (hasLinkTables(this.#host.database)) this.#host.setAlarm(this.#host.now());
  }

  #state(): SourceRow {
    if (this.#source !== undefined) return this.#source;
    const stored = hasLinkTables(this.#host.database) ? readSource(this.#host.database) : undefined;
    this.#source = stored ?? NEW_SOURCE;
    this.#claimed = this.#source.round?.after ?? "";
    return this.#source;
  }

  /** @param where a round that has just begun need not be on disk: after a crash it begins again. */
  #write(source: SourceRow, where: "disk" | "memory" = "disk"): void {
    if (where === "disk") writeSource(this.#host.database, source);
    this.#source = source;
  }
}

/** Calls that may be under way at once, by the bytes that each carries. */
function callsFor(piece: Result<Piece>): number {
  const size = piece.ok ? piece.bytes.length : 0;
  return Math.max(1, Math.min(CALLS_MAX, Math.floor(CALL_BYTES_MAX / Math.max(1, size))));
}
