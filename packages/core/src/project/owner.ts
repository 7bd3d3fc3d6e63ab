/**
 * Owns one project's record and the directory of its streams. It changes the record one change at a time, and publishes
 * each to KV: KV alone has no compare-and-set, so two managers who rotate secrets at the same time would lose one of them.
 */

import { refuse, REGISTRY_STREAM, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import {
  DEFAULT_SETTINGS,
  liveReadersMax,
  viewOf,
  type ProjectRecord,
  type ProjectSecret,
  type ProjectSettings,
  type ProjectView,
} from "../contracts/project-record.ts";
import type {
  Counters,
  CreateProjectCommand,
  ListCommand,
  NewSecret,
  StreamPage,
  StreamReport,
} from "../contracts/project.ts";
import type { ReaderSlotsRequest } from "../contracts/reader-slots.ts";
import type { Database } from "../kit/database.ts";
import type { ProjectHost } from "./host.ts";
import { endLinksOfKeys, hasLinksToEnd } from "./link-keys.ts";
import { allowBytes, allowReaders } from "./quota-grants.ts";
import { notifyRegistry } from "./registry-stream.ts";
import { applyNotice, knownIncarnation, listStreams, readCounters } from "./tables/directory-rows.ts";
import { hasConsumers } from "./tables/interest-rows.ts";
import { insertEndedKey, isEndedKey } from "./tables/link-key-rows.ts";
import { markPublished, readProjectRow, writeProjectRow } from "./tables/project-rows.ts";
import { countOtherReaderSlots, writeReaderSlots } from "./tables/reader-slot-rows.ts";
import {
  countUnsent,
  endRegistryResend,
  hasRegistry,
  insertEvent,
  readRegistryResend,
  startOver,
  writeRegistryResend,
} from "./tables/registry-rows.ts";
import { readStored, readStoredTotal, writeStored } from "./tables/stored-rows.ts";
import { removeConsumers, notifyConsumers, type ConsumerStub } from "./wake-interest.ts";

/** Each is tried on a token that names none. */
const SECRETS_MAX = 8;
/** KV takes one write a second for each key. `__registry__` waits as long after it could not be told. */
const RETRY_MS = 2_000;
/** With so many changes that `__registry__` has not been told, streams must keep their news to themselves. */
const UNSENT_MAX = 10_000;
/** Longer than any live read lasts. */
const SLOTS_MS_MAX = 2 * 3_600_000;
/** Streams that a new registry is told of in one go. */
const RETOLD_STREAMS = 256;
/** Streams of a removed project that are deleted before the alarm fires again. */
const SWEEP_STREAMS = 50;
const SWEEP_PAUSE_MS = 1_000;
/** So long an edge may still take the removed project's tokens, and make streams with them. */
const REMOVAL_MS = 120_000;

type Changed = Result<{ project: ProjectView }>;

export class ProjectOwner {
  readonly #database: Database;
  readonly #host: ProjectHost;
  readonly #name: string;
  /** When the alarm fires, as far as this instance of the object knows. */
  #alarmAtMs = Infinity;

  constructor(database: Database, host: ProjectHost, name: string) {
    this.#database = database;
    database.tables.upgrade();
    this.#host = host;
    this.#name = name;
  }

  async create(command: CreateProjectCommand): Promise<Result<{ project: ProjectView; secret: NewSecret }>> {
    if (this.#record() !== undefined) {
      return refuse("project-exists", "A project with this name already exists.", { hint: "Change it with PATCH." });
    }
    const nowMs = this.#host.now();
    if (this.#isBeingRemoved(nowMs)) return refuseBeingRemoved();
    const secret = this.#newSecret(command.secret);
    const record: ProjectRecord = {
      ...withSettings(DEFAULT_SETTINGS, command.settings),
      name: this.#name,
      createdAtMs: nowMs,
      secrets: [{ ...secret, createdAtMs: nowMs }],
      readUrlsFromMs: 0,
    };
    await this.#write(record);
    return { ok: true, project: viewOf(record), secret };
  }

  update(settings: Partial<ProjectSettings>): Promise<Changed> {
    return this.#change((record) => withSettings(record, settings));
  }

  async addSecret(text: string | undefined): Promise<Result<{ secret: NewSecret }>> {
    const secret = this.#newSecret(text);
    const changed = await this.#change((record) => {
      if (record.secrets.length >= SECRETS_MAX) {
        return refuse("settings-invalid", `A project can have at most ${SECRETS_MAX} secrets.`, {
          hint: "Remove a secret that no longer signs any token.",
        });
      }
      return { ...record, secrets: [{ ...secret, createdAtMs: this.#host.now() }, ...record.secrets] };
    });
    return changed.ok ? { ok: true, secret } : changed;
  }

  /** @param endLinks whether the links that were made with it end, too; by the alarm. Idempotent then. */
  removeSecret(kid: string, endLinks: boolean): Promise<Changed> {
    return this.#change((record) => {
      const secrets = record.secrets.filter((secret) => secret.kid !== kid);
      if (secrets.length === record.secrets.length) {
        // The answer to an earlier try was lost.
        if (endLinks && isEndedKey(this.#database, kid)) return record;
        return refuse("secret-not-found", "The project has no secret with this id.");
      }
      if (secrets.length === 0) {
        return refuse("secret-last", "This is the project's only secret.", { hint: "Add another secret first." });
      }
      if (endLinks) insertEndedKey(this.#database, kid);
      return { ...record, secrets };
    });
  }

  /** Whether webhooks are sent only to URLs that have proven themselves. */
  demandsProof(): boolean {
    return this.#record()?.webhookChallenge === true;
  }

  /** Signed read URLs count whole seconds: what is signed from the next one on is valid. */
  revokeReadUrls(): Promise<Changed> {
    const readUrlsFromMs = (Math.floor(this.#host.now() / 1000) + 1) * 1000;
    return this.#change((record) => ({ ...record, readUrlsFromMs }));
  }

  async remove(): Promise<Result<object>> {
    if (this.#record() === undefined) return refuseNoProject();
    await this.#write(null);
    return { ok: true };
  }

  list({ prefix, after, limit }: ListCommand): Result<StreamPage> {
    const rows = listStreams(this.#database, prefix, after, limit + 1);
    const streams = rows.slice(0, limit).map(({ name, contentType, createdAtMs }) => ({
      name,
      contentType,
      createdAt: new Date(createdAtMs).toISOString(),
    }));
    const cursor = rows.length > limit ? (streams.at(-1)?.name ?? null) : null;
    return { ok: true, streams, cursor, counters: readCounters(this.#database) };
  }

  /** Newest first; none where there is no such project. */
  secrets(): readonly ProjectSecret[] {
    return this.#record()?.secrets ?? [];
  }

  counters(): Counters {
    return readCounters(this.#database);
  }

  /** @throws Error when too much is waiting: the stream then tells it again later. */
  async note(report: StreamReport): Promise<number | null> {
    const isNew = report.contentType === null || knownIncarnation(this.#database, report.stream) !== report.incarnation;
    if (isNew && countUnsent(this.#database) >= UNSENT_MAX) throw new Error("__registry__ has fallen behind.");
    if (isNew) applyNotice(this.#database, report);
    const { stream, incarnation, contentType } = report;
    const change = { stream, incarnation, hasEnded: contentType === null };
    await notifyConsumers(this.#database, change, isNew, (id) => this.#consumer(id));
    const quotaGrant = this.#allow(report);
    // To tell the registry, or to delete what was made with a token that some edge had not forgotten yet.
    if (this.#hasWork()) this.#armSoon();
    await this.#host.sync();
    return quotaGrant;
  }

  /** Until they are over, the places count for the stream, whether or not they are taken. */
  async allowReaders({ stream, budget = "tokens", ...asked }: ReaderSlotsRequest): Promise<number | null> {
    const limit = liveReadersMax(this.#record()?.limits, budget);
    if (limit === null) return null;
    const nowMs = this.#host.now();
    const others = countOtherReaderSlots(this.#database, budget, stream, nowMs);
    const readerSlots = allowReaders({ limit, others, ...asked }) ?? asked.wanted;
    const untilMs = nowMs + Math.min(asked.forMs, SLOTS_MS_MAX);
    writeReaderSlots(this.#database, budget, { name: stream, readerSlots, untilMs }, nowMs);
    await this.#host.sync();
    return readerSlots;
  }

  /** Of a stream that has ended meanwhile, or was replaced, nothing is written down. */
  #allow({ stream, incarnation, stored = 0, wanted = stored }: StreamReport): number | null {
    const limit = this.#record()?.limits.storedBytes ?? null;
    if (knownIncarnation(this.#database, stream) !== incarnation) return limit === null ? null : stored;
    const others = readStoredTotal(this.#database) - readStored(this.#database, stream);
    const quotaGrant = allowBytes({ limit, others, stored, wanted });
    this.#database.transaction(() => writeStored(this.#database, stream, quotaGrant ?? wanted));
    return quotaGrant;
  }

  /**
   * Publishes what could not be published before, tells `__registry__`, and goes on deleting the streams of a removed
   * project.
   */
  async alarm(): Promise<void> {
    this.#armIn(RETRY_MS);
    const row = readProjectRow(this.#database);
    if (row?.published === false) await this.#publish(row.record);
    if (this.#isRemoved()) await this.#sweep();
    else await this.#notify();
    if (await endLinksOfKeys(this.#database, (source) => this.#host.followers(source))) this.#armSoon();
    this.#rest();
  }

  #armIn(ms: number): void {
    this.#alarmAtMs = this.#host.now() + ms;
    this.#host.setAlarm(this.#alarmAtMs);
  }

  /** An alarm that has just fallen due is left alone: news that comes in a rush would put it off, and write a row each. */
  #armSoon(): void {
    const dueForMs = this.#host.now() - this.#alarmAtMs;
    if (dueForMs < 0 || dueForMs > RETRY_MS) this.#armIn(0);
  }

  /** Nothing may happen between the look and the clearing: both are synchronous. */
  #rest(): void {
    if (this.#hasWork()) return;
    this.#alarmAtMs = Infinity;
    this.#host.clearAlarm();
  }

  #hasWork(): boolean {
    if (readProjectRow(this.#database)?.published === false || this.#hasUnsent()) return true;
    if (hasLinksToEnd(this.#database)) return true;
    return this.#isRemoved() && this.#isLeft();
  }

  /** Whether there is something of the project besides its record. */
  #isLeft(): boolean {
    return readCounters(this.#database).streams > 0 || hasRegistry(this.#database) || hasConsumers(this.#database);
  }

  #consumer(id: string): ConsumerStub {
    return this.#host.consumer(this.#name, id);
  }

  async #notify(): Promise<void> {
    try {
      this.#resendToRegistry();
      const outcome = await notifyRegistry(this.#database, () => this.#host.registryStream(this.#name));
      if (outcome === "rejected") return await this.#beginRegistryAnew();
    } catch {
      return;
    }
    if (this.#hasUnsent()) this.#armSoon();
  }

  /** The stream that did not know its own producer any more goes, and another tells of everything that there is now. */
  async #beginRegistryAnew(): Promise<void> {
    await this.#host.removeStream(this.#name, REGISTRY_STREAM);
    startOver(this.#database, true);
  }

  /** Takes some more of the streams that a new registry is to be told of. To hear of one twice does it no harm. */
  #resendToRegistry(): void {
    const after = readRegistryResend(this.#database);
    if (after === undefined || countUnsent(this.#database) > 0) return;
    const streams = listStreams(this.#database, "", after, RETOLD_STREAMS);
    const last = streams.at(-1);
    this.#database.transaction(() => {
      for (const { name, contentType, createdAtMs } of streams) {
        insertEvent(this.#database, { name, contentType, atMs: createdAtMs });
      }
      if (last === undefined) endRegistryResend(this.#database);
      else writeRegistryResend(this.#database, last.name);
    });
  }

  #hasUnsent(): boolean {
    return countUnsent(this.#database) > 0 || readRegistryResend(this.#database) !== undefined;
  }

  /** The registry goes last: until then the ends of streams are news for it. */
  async #sweep(): Promise<void> {
    this.#armIn(SWEEP_PAUSE_MS);
    await removeConsumers(this.#database, SWEEP_STREAMS, (id) => this.#consumer(id));
    const streams = listStreams(this.#database, "", "", SWEEP_STREAMS);
    await Promise.allSettled(streams.map(({ name }) => this.#removeStream(name)));
    if (streams.length > 0 || !hasRegistry(this.#database)) return;
    await this.#host.removeStream(this.#name, REGISTRY_STREAM);
    startOver(this.#database, false);
  }

  /** Also strikes off a stream that was no longer there. */
  async #removeStream(stream: string): Promise<void> {
    await this.#host.removeStream(this.#name, stream);
    const incarnation = Number.MAX_SAFE_INTEGER;
    applyNotice(this.#database, { stream, incarnation, contentType: null, atMs: this.#host.now() });
  }

  #isRemoved(): boolean {
    return readProjectRow(this.#database)?.record === null;
  }

  #isBeingRemoved(nowMs: number): boolean {
    const removedAtMs = readProjectRow(this.#database)?.removedAtMs ?? null;
    if (removedAtMs === null) return false;
    return nowMs < removedAtMs + REMOVAL_MS || this.#isLeft();
  }

  #record(): ProjectRecord | undefined {
    const text = readProjectRow(this.#database)?.record;
    return typeof text === "string" ? (JSON.parse(text) as ProjectRecord) : undefined;
  }

  async #change(change: (record: ProjectRecord) => ProjectRecord | Refusal): Promise<Changed> {
    const record = this.#record();
    if (record === undefined) return refuseNoProject();
    const changed = change(record);
    if ("ok" in changed) return changed;
    await this.#write(changed);
    return { ok: true, project: viewOf(changed) };
  }

  async #write(record: ProjectRecord | null): Promise<void> {
    const text = record === null ? null : JSON.stringify(record);
    const removedAtMs = record === null ? this.#host.now() : null;
    this.#database.transaction(() => writeProjectRow(this.#database, text, removedAtMs));
    // Should this object die before it has published, or KV refuse.
    this.#armIn(RETRY_MS);
    await this.#host.sync();
    await this.#publish(text);
    if (record === null) this.#armSoon();
    else this.#rest();
  }

  async #publish(text: string | null): Promise<void> {
    try {
      await this.#host.publish(this.#name, text);
      markPublished(this.#database, text);
    } catch {
      this.#armIn(RETRY_MS);
    }
  }

  #newSecret(text: string | undefined): NewSecret {
    return { kid: this.#host.newKid(), secret: text ?? this.#host.newSecret() };
  }
}

/** A limit, or a default, that is not named stays as it is. */
function withSettings<Settings extends ProjectSettings>(known: Settings, settings: Partial<ProjectSettings>): Settings {
  const { defaults, limits } = settings;
  return {
    ...known,
    ...settings,
    defaults: { ...known.defaults, ...defaults },
    limits: { ...known.limits, ...limits },
  };
}

function refuseBeingRemoved(): Refusal {
  return refuse("project-removing", "A project with this name was removed, and its streams are still being deleted.", {
    headers: { "Retry-After": String(REMOVAL_MS / 1000) },
  });
}

export function refuseNoProject(): Refusal {
  return refuse("project-not-found", "No project has this name.");
}
