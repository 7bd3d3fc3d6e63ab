/**
 * The links of one session to its sources. Each source's follower set stores the link itself; the session records which links
 * may exist, before they are created and until they are certainly gone, so that a crash between any two steps leaks none.
 */

import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import type { LinkId, LinkResult, SessionResult, SourceResult, SubscribeCommand } from "../../contracts/fan-out.ts";
import { UNKNOWN_GRANT } from "../../contracts/grant.ts";
import type { AlarmHandle, AlarmOutcome, Alarms } from "../../kit/alarms.ts";
import { KeyedMutex } from "../../kit/keyed-mutex.ts";
import { mapConcurrent } from "../../kit/map-concurrent.ts";
import {
  countLinks,
  deleteSource,
  insertLinking,
  linksToSource,
  markActive,
  markEnding,
  putOff,
  readCurrentLink,
  readEstuary,
  readSourceLink,
  unsettledLinks,
  updateExpiry,
  writeEstuary,
  type SourceKey,
  type SourceLink,
} from "./estuary-rows.ts";
import type { EstuaryHost } from "./host.ts";

/** Sources that one session may follow. */
export const SOURCES_MAX = 10_000;
const CALLS_MAX = 16;
/** How long making a link may take; a follower set refuses one that comes later. */
const LINK_MS_MAX = 30_000;
/** So much later it cannot arrive any more: clocks of two machines may differ. */
const CLOCK_SKEW_MS_MAX = 30_000;
/** Links that one alarm sees to. */
const LINKS_PER_ALARM = 256;
/** A link that could not be ended is ended again after this long. */
const RETRY_MS = 30_000;
/** What an earlier instance of this object has begun is seen to so soon after its end at the latest. */
export const RESTORE_MS = 60_000;

export class SessionLinks {
  readonly #host: EstuaryHost;
  /** What is done to one source is done one after the other. */
  readonly #mutex = new KeyedMutex();
  readonly #settling: AlarmHandle;

  constructor(host: EstuaryHost, alarms: Alarms) {
    this.#host = host;
    this.#settling = alarms.add({
      name: "settle links",
      retryMs: RETRY_MS,
      restoreMs: RESTORE_MS,
      run: () => (readEstuary(host.database) === undefined ? undefined : this.#settle()),
    });
  }

  /** Links that are to end are ended by the alarm, as soon as it can. */
  settleSoon(): void {
    this.#settling.request(this.#host.now());
  }

  /** Follows sources. What is followed already stays as it is. */
  followAll(command: SubscribeCommand, session: SessionResult): Promise<readonly SourceResult[]> {
    return this.#eachSource(command.sources, (source) => this.#follow(source, command, session));
  }

  unfollowAll(sources: readonly string[]): Promise<readonly SourceResult[]> {
    return this.#eachSource(sources, (source) => this.#unfollow(source));
  }

  /**
   * A link has ended at its source: to subscribe again makes a new one. Idempotent.
   * @throws Error when too many changes are waiting: the source then notifies the session again later.
   */
  async ended(source: string, link: LinkId): Promise<void> {
    const noted = await this.#mutex.run(source, async () => {
      if (readEstuary(this.#host.database) === undefined) return { ok: true };
      const known = readSourceLink(this.#host.database, { source, link });
      if (known !== undefined && known.state !== "ending") this.#forget(known);
      await this.#host.sync();
      return { ok: true };
    });
    if (!noted.ok) throw new Error(noted.problem.detail);
  }

  async #follow(source: string, command: SubscribeCommand, session: SessionResult): Promise<SourceResult> {
    if (source === this.#host.name) return { source, ...refuseItself() };
    const { format } = command;
    const known = readCurrentLink(this.#host.database, source);
    if (known !== undefined && known.format !== format) return { source, ...refuseOtherFormat(known) };
    const followed = await this.#again(known, command, session);
    if (followed !== undefined) return followed;
    return this.#link(source, undefined, command, session);
  }

  /**
   * Goes on with a link, which takes over the grant.
   * @returns `undefined` when there is none, or when it has ended meanwhile.
   */
  async #again(
    known: SourceLink | undefined,
    command: SubscribeCommand,
    session: SessionResult,
  ): Promise<SourceResult | undefined> {
    if (known === undefined) return undefined;
    const { source, dueAtMs, state } = known;
    let result: SourceResult;
    if (state === "active") {
      const renewed = await this.#ask(known, dueAtMs, command, session, true);
      if (renewed.ok) {
        updateExpiry(this.#host.database, known, (command.grant ?? UNKNOWN_GRANT).expiresAtMs);
        await this.#host.sync();
        return { source, ok: true, offset: renewed.offset };
      }
      result = { source, ...renewed };
    } else result = await this.#link(source, known, command, session);
    if (result.ok || result.problem.code !== "subscription-not-found") return result;
    const ended = readSourceLink(this.#host.database, known);
    if (ended !== undefined) this.#forget(ended);
    return undefined;
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
    this.settleSoon();
  }

  #ask(
    { source, link }: SourceKey,
    untilMs: number,
    { format, from, froms, grant = UNKNOWN_GRANT }: SubscribeCommand,
    session: SessionResult,
    isRenewal: boolean,
  ): Promise<Result<LinkResult>> {
    return this.#host.followers(source).link({
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
    this.#settling.request(dueAtMs);
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

  /** Done when none of the links that ever existed to the source can deliver what is published from now on. */
  async #unfollow(source: string): Promise<SourceResult> {
    const links = linksToSource(this.#host.database, source);
    if (links.length === 0) return { source, ok: true };
    for (const link of links) if (link.state !== "ending") markEnding(this.#host.database, link, true);
    this.#settling.request(this.#host.now() + RETRY_MS);
    await this.#host.sync();
    for (const link of links) {
      const ended = await this.#end(link.state === "ending" ? link : { ...link, drain: true });
      if (!ended.ok) return { source, ...ended };
    }
    return { source, ok: true };
  }

  /** Ends links that are to end, and those whose making was cut short for good. */
  async #settle(): Promise<AlarmOutcome> {
    const now = this.#host.now();
    const links = unsettledLinks(this.#host.database, LINKS_PER_ALARM);
    const due = links.filter(({ state, dueAtMs }) => state === "ending" || dueAtMs <= now);
    await mapConcurrent(due, CALLS_MAX, (link) =>
      // At most `CALLS_MAX` of these wait.
      this.#mutex.runAlways(link.source, async () => {
        const current = readSourceLink(this.#host.database, link);
        if (current === undefined || current.state === "active") return;
        if (current.state === "linking" && current.dueAtMs > now) return;
        if (current.state === "linking") markEnding(this.#host.database, current, false);
        await this.#host.sync();
        await this.#end(current);
      }),
    );
    if (due.length === LINKS_PER_ALARM) return "more";
    const [next] = unsettledLinks(this.#host.database, 1);
    if (next !== undefined) this.#settling.request(Math.max(next.dueAtMs, this.#host.now() + RETRY_MS));
    return undefined;
  }

  /** What cannot be done now is done by the alarm. */
  async #end({ source, link, drain, dueAtMs }: SourceLink): Promise<Result<object>> {
    const command = { session: this.#host.name, link, drain, refuseUntilMs: dueAtMs };
    const ended = await this.#call(() => this.#host.followers(source).unlink(command));
    if (ended.ok) deleteSource(this.#host.database, { source, link });
    await this.#host.sync();
    return ended;
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
