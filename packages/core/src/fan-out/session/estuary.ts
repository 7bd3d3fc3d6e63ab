/**
 * One session: the sources that its stream follows. The links themselves are kept by the sources' subscriptions; here is
 * written down which of them there may be, before they are made and until they are gone for sure, so that a crash between
 * any two steps leaves none behind. The session ends when its stream does: that is where its lifetime is counted.
 */

import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import type {
  EstuaryResult,
  LinkResult,
  LinkId,
  SessionResult,
  SourceResult,
  SubscribeCommand,
  SubscribeResult,
} from "../../contracts/fan-out.ts";
import { UNKNOWN_GRANT } from "../../contracts/grant.ts";
import { KeyedMutex } from "../../kit/keyed-mutex.ts";
import { mapConcurrent } from "../../kit/map-concurrent.ts";
import {
  activeLinks,
  countLinks,
  deleteSource,
  insertLinking,
  linksToSource,
  markActive,
  markAllEnding,
  markEnding,
  putOff,
  readCurrentLink,
  readSourceLink,
  readEstuary,
  unsettledLinks,
  updateExpiry,
  writeEstuary,
  type SourceKey,
  type SourceLink,
} from "./estuary-rows.ts";
import type { EstuaryHost } from "./host.ts";
import { refuseNoEstuary } from "./refusals.ts";

/** Sources that one session may follow. */
const SOURCES_MAX = 10_000;
const CALLS_MAX = 16;
/** How long making a link may take; a subscription refuses one that comes later. */
const LINK_MS_MAX = 30_000;
/** So much later it cannot arrive any more: clocks of two machines may differ. */
const CLOCK_SKEW_MS_MAX = 30_000;
/** Links that one alarm sees to. */
const LINKS_PER_ALARM = 256;
const RETRY_MS = 30_000;
/** The stream's own alarm comes first. */
const AFTER_DEADLINE_MS = 1_000;

/** The alarm looks after the session at least so often. */
const LOOK_MS_MAX = 24 * 3_600_000;

const ENVELOPE_TYPE = "application/json";
const GONE: ReadonlySet<string> = new Set(["stream-not-found", "stream-deleted", "session-expected"]);

export class Estuary {
  readonly #host: EstuaryHost;
  /** What is done to one source is done one after the other. */
  readonly #mutex = new KeyedMutex();
  /** When the alarm fires, as far as this instance of the object knows. */
  #alarmAtMs = Infinity;

  constructor(host: EstuaryHost) {
    this.#host = host;
    host.database.tables.upgrade();
  }

  /** Makes the session if it is not there yet, and follows sources. What is followed already stays as it is. */
  async subscribe(command: SubscribeCommand): Promise<Result<SubscribeResult>> {
    const opened = await this.#open(command);
    if (!opened.ok) return opened;
    this.#meet(opened);
    await this.#host.sync();
    const results = await this.#eachSource(command.sources, (source) => this.#follow(source, command, opened));
    const { deadlineMs, contentType } = opened;
    return { ok: true, deadlineMs, contentType, results };
  }

  async unsubscribe(sources: readonly string[]): Promise<Result<{ results: readonly SourceResult[] }>> {
    if (readEstuary(this.#host.database) === undefined) return refuseNoEstuary();
    return { ok: true, results: await this.#eachSource(sources, (source) => this.#unfollow(source)) };
  }

  async describe(): Promise<Result<EstuaryResult>> {
    const session = await this.#session(false);
    if (!session.ok) return session;
    const { contentType, deadlineMs } = session;
    const subscriptions = activeLinks(this.#host.database, SOURCES_MAX).map(
      ({ source, format, startOffset: offset, expiresAtMs }) => ({ source, format, offset, expiresAtMs }),
    );
    return { ok: true, contentType, deadlineMs, subscriptions };
  }

  async touch(): Promise<Result<Pick<EstuaryResult, "deadlineMs">>> {
    const session = await this.#session(true);
    return session.ok ? { ok: true, deadlineMs: session.deadlineMs } : session;
  }

  /** Ends the session: its stream goes, and its links by the alarm. */
  async remove(): Promise<Result<object>> {
    const session = await this.#session(false);
    if (!session.ok) return session;
    const removed = await this.#host.stream.endSession(session.incarnation);
    if (!removed.ok && !GONE.has(removed.problem.code)) return removed;
    markAllEnding(this.#host.database);
    this.#setAlarm(this.#host.now());
    await this.#host.sync();
    return { ok: true };
  }

  /** A link has ended at its source: to subscribe again makes a new one. Idempotent. */
  linkEnded(source: string, link: LinkId): Promise<void> {
    return this.#mutex.run(source, async () => {
      if (readEstuary(this.#host.database) === undefined) return;
      const known = readSourceLink(this.#host.database, { source, link });
      if (known !== undefined && known.state !== "ending") this.#forget(known);
      await this.#host.sync();
    });
  }

  /** Ends what is to end, and looks whether the session is still there. Set again before it works. */
  async alarm(): Promise<void> {
    const estuary = readEstuary(this.#host.database);
    if (estuary === undefined) return;
    this.#setAlarm(this.#host.now() + RETRY_MS);
    const session = await this.#host.stream.session(false);
    const isGone = session.ok
      ? session.incarnation !== readEstuary(this.#host.database)?.incarnation
      : GONE.has(session.problem.code);
    if (isGone) markAllEnding(this.#host.database);
    const hasMore = await this.#settle();
    const [next] = unsettledLinks(this.#host.database, 1);
    const isUnchanged = readEstuary(this.#host.database)?.incarnation === estuary.incarnation;
    if (isGone && isUnchanged && next === undefined) return this.#host.purge();
    const deadlineMs = session.ok ? session.deadlineMs + AFTER_DEADLINE_MS : Infinity;
    const retryAtMs = this.#host.now() + (hasMore ? 0 : RETRY_MS);
    const settleAtMs = next === undefined ? Infinity : Math.max(next.dueAtMs, retryAtMs);
    this.#setAlarm(Math.min(deadlineMs, settleAtMs, this.#host.now() + LOOK_MS_MAX));
  }

  /** The session's stream, made if need be: of the one type that its format needs. */
  async #open({ format, sources, ttlSeconds }: SubscribeCommand): Promise<Result<SessionResult>> {
    const { stream } = this.#host;
    const existing = await stream.session(true);
    const isThere = existing.ok || existing.problem.code !== "stream-not-found";
    if (isThere && (format === "raw" || !existing.ok)) return existing;
    if (format === "envelope") return stream.openSession({ contentType: ENVELOPE_TYPE, ttlSeconds });
    const contentType = await this.#typeOfFirst(sources);
    return contentType.ok ? stream.openSession({ contentType: contentType.contentType, ttlSeconds }) : contentType;
  }

  /** Of the first source that there is. */
  async #typeOfFirst(sources: readonly string[]): Promise<Result<{ contentType: string }>> {
    let last: Result<{ contentType: string }> = refuse("subscription-invalid", "The request names no source.");
    for (const source of sources) {
      last = await this.#host.source(source).head();
      if (last.ok || last.problem.code !== "stream-not-found") return last;
    }
    return last;
  }

  /** A session that has begun anew knows nothing of the one before it. */
  #meet({ incarnation, deadlineMs }: SessionResult): void {
    const { database } = this.#host;
    const known = readEstuary(database);
    if (known?.incarnation === incarnation) return;
    database.transaction(() => {
      writeEstuary(database, { incarnation, lastLink: known?.lastLink ?? 0 });
      markAllEnding(database);
    });
    this.#setAlarm(known === undefined ? deadlineMs + AFTER_DEADLINE_MS : this.#host.now());
  }

  async #follow(source: string, command: SubscribeCommand, session: SessionResult): Promise<SourceResult> {
    if (source === this.#host.name) return { source, ...refuseItself() };
    const { format, grant = UNKNOWN_GRANT } = command;
    const known = readCurrentLink(this.#host.database, source);
    if (known !== undefined && known.format !== format) return { source, ...refuseOtherFormat(known) };
    if (known?.state !== "active") return this.#link(source, known, command, session);
    // It may have ended meanwhile; if not, it takes over the grant.
    const renewed = await this.#ask(known, known.dueAtMs, command, session, true);
    if (renewed.ok) {
      updateExpiry(this.#host.database, known, grant.expiresAtMs);
      await this.#host.sync();
      return { source, ok: true, offset: renewed.offset };
    }
    if (renewed.problem.code !== "subscription-not-found") return { source, ...renewed };
    this.#forget(known);
    return this.#link(source, undefined, command, session);
  }

  /** Makes a link. @param known one whose making was cut short: it is gone on with. */
  async #link(
    source: string,
    known: SourceLink | undefined,
    command: SubscribeCommand,
    session: SessionResult,
  ): Promise<SourceResult> {
    if (known === undefined && countLinks(this.#host.database) >= SOURCES_MAX) return { source, ...refuseFull() };
    const untilMs = this.#host.now() + LINK_MS_MAX;
    const key = this.#beginLink(source, known, command, untilMs + CLOCK_SKEW_MS_MAX);
    await this.#host.sync();
    const linked = await this.#ask(key, untilMs, command, session, false);
    if (linked.ok) {
      // After an earlier try whose answer was lost, that may still arrive.
      const dueAtMs = known === undefined ? 0 : untilMs + CLOCK_SKEW_MS_MAX;
      markActive(this.#host.database, key, linked.offset, dueAtMs);
    }
    // What was refused is not there, unless an earlier call made it.
    else if (known === undefined) deleteSource(this.#host.database, key);
    await this.#host.sync();
    return linked.ok ? { source, ok: true, offset: linked.offset } : { source, ...linked };
  }

  /** A link is over at its source. A call that makes it once more may still arrive: then it has to be refused there. */
  #forget(link: SourceLink): void {
    if (link.dueAtMs <= this.#host.now()) return deleteSource(this.#host.database, link);
    markEnding(this.#host.database, link, false);
    this.#armFor(this.#host.now());
  }

  #ask(
    { source, link }: SourceKey,
    untilMs: number,
    { format, from, froms, grant = UNKNOWN_GRANT }: SubscribeCommand,
    session: SessionResult,
    isRenewal: boolean,
  ): Promise<Result<LinkResult>> {
    return this.#host.subscription(source).link({
      session: this.#host.name,
      sessionIncarnation: session.incarnation,
      sessionContentType: session.contentType,
      link,
      format,
      from: froms?.[source] ?? from,
      untilMs,
      grant,
      ...(isRenewal ? { isRenewal } : {}),
    });
  }

  /** Writes down that the link may come to be; a link whose making was cut short is gone on with. */
  #beginLink(
    source: string,
    known: SourceLink | undefined,
    { format, grant = UNKNOWN_GRANT }: SubscribeCommand,
    dueAtMs: number,
  ): SourceKey {
    const { database } = this.#host;
    this.#armFor(dueAtMs);
    if (known !== undefined) {
      putOff(database, known, dueAtMs);
      updateExpiry(database, known, grant.expiresAtMs);
      return known;
    }
    const estuary = readEstuary(database);
    if (estuary === undefined) throw new Error("A link was started in an estuary that no longer exists.");
    const link = Math.max(estuary.lastLink + 2, 2 * this.#host.now());
    database.transaction(() => {
      writeEstuary(database, { ...estuary, lastLink: link });
      insertLinking(database, { source, link, format, dueAtMs, expiresAtMs: grant.expiresAtMs });
    });
    return { source, link };
  }

  /** Done when none of the links that there ever were to the source can bring what is published from now on. */
  async #unfollow(source: string): Promise<SourceResult> {
    const links = linksToSource(this.#host.database, source);
    if (links.length === 0) return { source, ok: true };
    for (const link of links) if (link.state !== "ending") markEnding(this.#host.database, link, true);
    this.#armFor(this.#host.now() + RETRY_MS);
    await this.#host.sync();
    for (const link of links) {
      const ended = await this.#end(link.state === "ending" ? link : { ...link, drain: true });
      if (!ended.ok) return { source, ...ended };
    }
    return { source, ok: true };
  }

  /**
   * Ends links that are to end, and those whose making was cut short for good.
   * @returns whether there may be more of them.
   */
  async #settle(): Promise<boolean> {
    const now = this.#host.now();
    const links = unsettledLinks(this.#host.database, LINKS_PER_ALARM);
    const due = links.filter(({ state, dueAtMs }) => state === "ending" || dueAtMs <= now);
    await mapConcurrent(due, CALLS_MAX, (link) =>
      this.#mutex.run(link.source, async () => {
        const current = readSourceLink(this.#host.database, link);
        if (current === undefined || current.state === "active") return;
        if (current.state === "linking" && current.dueAtMs > now) return;
        if (current.state === "linking") markEnding(this.#host.database, current, false);
        await this.#host.sync();
        await this.#end(current);
      }),
    );
    return due.length === LINKS_PER_ALARM;
  }

  /** What cannot be done now is done by the alarm. */
  async #end({ source, link, drain, dueAtMs }: SourceLink): Promise<Result<object>> {
    const command = { session: this.#host.name, link, drain, refuseUntilMs: dueAtMs };
    const ended = await this.#call(() => this.#host.subscription(source).unlink(command));
    if (ended.ok) deleteSource(this.#host.database, { source, link });
    await this.#host.sync();
    return ended;
  }

  async #session(renew: boolean): Promise<Result<SessionResult>> {
    if (readEstuary(this.#host.database) === undefined) return refuseNoEstuary();
    const session = await this.#host.stream.session(renew);
    return !session.ok && GONE.has(session.problem.code) ? refuseNoEstuary() : session;
  }

  async #eachSource(
    sources: readonly string[],
    work: (source: string) => Promise<SourceResult>,
  ): Promise<readonly SourceResult[]> {
    const results = new Map<string, SourceResult>();
    await mapConcurrent([...new Set(sources)], CALLS_MAX, async (source) => {
      const done = this.#call(() => this.#mutex.run(source, () => work(source)));
      results.set(source, { source, ...(await done) });
    });
    return [...new Set(sources)].flatMap((source) => results.get(source) ?? []);
  }

  /** A call whose answer is lost may have been heard: the alarm sees to that. */
  async #call<Value>(invoke: () => Promise<Result<Value>>): Promise<Result<Value>> {
    try {
      return await invoke();
    } catch {
      return refuse("unavailable", "The source did not answer.", { headers: { "Retry-After": "1" } });
    }
  }

  /** Unless the alarm fires before that anyway. */
  #armFor(atMs: number): void {
    if (atMs < this.#alarmAtMs) this.#setAlarm(atMs);
  }

  #setAlarm(atMs: number): void {
    this.#alarmAtMs = atMs;
    this.#host.setAlarm(atMs);
  }
}

function refuseItself(): Refusal {
  return refuse("session-as-source", "A session cannot follow itself.", { hint: "Subscribe it to ordinary streams." });
}

function refuseOtherFormat({ format }: SourceLink): Refusal {
  return refuse("subscription-exists", `The session already follows this source in the format ${format}.`, {
    hint: "Unsubscribe first, or use that format.",
  });
}

function refuseFull(): Refusal {
  return refuse("estuary-full", `A session can follow at most ${SOURCES_MAX} sources.`, {
    hint: "Unsubscribe from some sources, or use another session.",
  });
}
