/**
 * One session: its stream, and the list of sources that it follows (`session-links.ts`). The session ends when its stream ends,
 * because the stream keeps the session's lifetime.
 */

import { refuse, type Result } from "@durable-streams-cloudflare/protocol";

import type {
  EstuaryResult,
  LinkId,
  SessionResult,
  SourceResult,
  SubscribeCommand,
  SubscribeResult,
} from "../../contracts/fan-out.ts";
import { Alarms, type AlarmHandle, type AlarmOutcome } from "../../kit/alarms.ts";
import { activeLinks, markAllEnding, readEstuary, unsettledLinks, writeEstuary } from "./estuary-rows.ts";
import type { EstuaryHost } from "./host.ts";
import { refuseNoEstuary } from "./refusals.ts";
import { RESTORE_MS, SessionLinks, SOURCES_MAX } from "./session-links.ts";

const RETRY_MS = 30_000;
/** The stream's own alarm comes first. */
const AFTER_DEADLINE_MS = 1_000;
/** The alarm looks after the session at least so often. */
const LOOK_MS_MAX = 24 * 3_600_000;

const ENVELOPE_TYPE = "application/json";
const GONE: ReadonlySet<string> = new Set(["stream-not-found", "stream-deleted", "session-expected"]);

export class Estuary {
  readonly #host: EstuaryHost;
  readonly #alarms: Alarms;
  readonly #look: AlarmHandle;
  readonly #links: SessionLinks;
  /** The incarnation of the session's stream that the alarm has found to be over. */
  #goneIncarnation: number | undefined;

  constructor(host: EstuaryHost) {
    this.#host = host;
    host.database.tables.upgrade();
    this.#alarms = new Alarms(host);
    this.#look = this.#alarms.add({
      name: "look after the session",
      retryMs: RETRY_MS,
      restoreMs: RESTORE_MS,
      run: () => (readEstuary(host.database) === undefined ? undefined : this.#lookAfter()),
    });
    this.#links = new SessionLinks(host, this.#alarms);
    this.#alarms.add({
      name: "forget the session",
      retryMs: RETRY_MS,
      everyFiring: true,
      run: () => (this.#isOver ? this.#alarms.purge(() => host.purge()) : undefined),
    });
  }

  /** Makes the session if it is not there yet, and follows sources. What is followed already stays as it is. */
  async subscribe(command: SubscribeCommand): Promise<Result<SubscribeResult>> {
    const opened = await this.#open(command);
    if (!opened.ok) return opened;
    this.#meet(opened);
    await this.#host.sync();
    const results = await this.#links.followAll(command, opened);
    const { deadlineMs, contentType } = opened;
    return { ok: true, deadlineMs, contentType, results };
  }

  async unsubscribe(sources: readonly string[]): Promise<Result<{ results: readonly SourceResult[] }>> {
    if (readEstuary(this.#host.database) === undefined) return refuseNoEstuary();
    return { ok: true, results: await this.#links.unfollowAll(sources) };
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
    this.#links.settleSoon();
    this.#look.request(this.#host.now());
    await this.#host.sync();
    return { ok: true };
  }

  /** A link has ended at its source: to subscribe again makes a new one. Idempotent. */
  linkEnded(source: string, link: LinkId): Promise<void> {
    return this.#links.ended(source, link);
  }

  /** Does what is due. */
  alarm(): Promise<void> {
    return this.#alarms.fire();
  }

  /** Looks whether the session is still there, and ends its links if it is not. */
  async #lookAfter(): Promise<AlarmOutcome> {
    const { database, stream } = this.#host;
    const before = readEstuary(database)?.incarnation;
    const session = await stream.session(false);
    const incarnation = readEstuary(database)?.incarnation;
    // A new session has begun meanwhile.
    if (incarnation !== before) return "more";
    if (session.ok && session.incarnation === incarnation) {
      const deadlineMs = session.deadlineMs + AFTER_DEADLINE_MS;
      return this.#look.request(Math.min(deadlineMs, this.#host.now() + LOOK_MS_MAX));
    }
    if (!session.ok && !GONE.has(session.problem.code)) {
      throw new Error(`The session's stream cannot be looked at: ${session.problem.code}.`);
    }
    this.#goneIncarnation = incarnation;
    markAllEnding(database);
    this.#links.settleSoon();
    return this.#look.request(this.#host.now() + RETRY_MS);
  }

  /** Whether nothing is left of the session, not even a link that has to be ended. */
  get #isOver(): boolean {
    const { database } = this.#host;
    const estuary = readEstuary(database);
    if (estuary === undefined || estuary.incarnation !== this.#goneIncarnation) return false;
    return unsettledLinks(database, 1).length === 0;
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
    if (known === undefined) return this.#look.schedule(deadlineMs + AFTER_DEADLINE_MS);
    this.#links.settleSoon();
    this.#look.request(this.#host.now());
  }

  async #session(renew: boolean): Promise<Result<SessionResult>> {
    if (readEstuary(this.#host.database) === undefined) return refuseNoEstuary();
    const session = await this.#host.stream.session(renew);
    return !session.ok && GONE.has(session.problem.code) ? refuseNoEstuary() : session;
  }
}
