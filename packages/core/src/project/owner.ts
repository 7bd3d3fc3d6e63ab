/**
 * One project's object: its record, and the directory of its streams. It makes one change of the record at a time and publishes
 * each to KV: KV has no compare-and-set, so of two managers who rotate secrets at the same time, one would otherwise lose the
 * change.
 */

import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

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
import { Alarms } from "../kit/alarms.ts";
import type { Database } from "../kit/database.ts";
import type { ProjectHost } from "./host.ts";
import { PublishedRecord, refuseNoProject, type Changed } from "./published-record.ts";
import { allowBytes, allowReaders } from "./quota-grants.ts";
import { applyNotice, knownIncarnation, listStreams, readCounters } from "./tables/directory-rows.ts";
import { insertEndedKey, isEndedKey } from "./tables/link-key-rows.ts";
import { countOtherReaderSlots, writeReaderSlots } from "./tables/reader-slot-rows.ts";
import { countUnsent } from "./tables/registry-event-rows.ts";
import { readStored, readStoredTotal, writeStored } from "./tables/stored-rows.ts";
import { Upkeep } from "./upkeep.ts";
import { notifySubscriptions } from "./wake-interest.ts";

/** Each is tried on a token that names none. */
const SECRETS_MAX = 8;
/** With so many changes unsent to `__registry__`, notices from streams are refused until it has caught up. */
const UNSENT_MAX = 10_000;
/** Longer than any live read lasts. */
const SLOTS_MS_MAX = 2 * 3_600_000;
/** So long an edge may still take the removed project's tokens, and make streams with them. */
const REMOVAL_MS = 120_000;

export class ProjectOwner {
  readonly #database: Database;
  readonly #host: ProjectHost;
  readonly #name: string;
  readonly #alarms: Alarms;
  readonly #record: PublishedRecord;
  readonly #upkeep: Upkeep;

  constructor(database: Database, host: ProjectHost, name: string) {
    this.#database = database;
    database.tables.upgrade();
    this.#host = host;
    this.#name = name;
    this.#alarms = new Alarms(host);
    this.#record = new PublishedRecord(database, host, name, this.#alarms);
    this.#upkeep = new Upkeep(database, host, name, this.#record, this.#alarms);
  }

  async create(command: CreateProjectCommand): Promise<Result<{ project: ProjectView; secret: NewSecret }>> {
    if (this.#record.read() !== undefined) {
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
    await this.#record.write(record);
    return { ok: true, project: viewOf(record), secret };
  }

  update(settings: Partial<ProjectSettings>): Promise<Changed> {
    return this.#record.change((record) => ({ ok: true, record: withSettings(record, settings) }));
  }

  async addSecret(text: string | undefined): Promise<Result<{ secret: NewSecret }>> {
    const secret = this.#newSecret(text);
    const changed = await this.#record.change((record) => {
      if (record.secrets.length >= SECRETS_MAX) {
        return refuse("settings-invalid", `A project can have at most ${SECRETS_MAX} secrets.`, {
          hint: "Remove a secret that no longer signs any token.",
        });
      }
      const secrets = [{ ...secret, createdAtMs: this.#host.now() }, ...record.secrets];
      return { ok: true, record: { ...record, secrets } };
    });
    return changed.ok ? { ok: true, secret } : changed;
  }

  /** @param endLinks whether the links that were made with it end, too; by the alarm. Idempotent then. */
  removeSecret(kid: string, endLinks: boolean): Promise<Changed> {
    return this.#record.change((record) => {
      const secrets = record.secrets.filter((secret) => secret.kid !== kid);
      if (secrets.length === record.secrets.length) {
        // The answer to an earlier try was lost.
        if (endLinks && isEndedKey(this.#database, kid)) return { ok: true, record };
        return refuse("secret-not-found", "The project has no secret with this id.");
      }
      if (secrets.length === 0) {
        return refuse("secret-last", "This is the project's only secret.", { hint: "Add another secret first." });
      }
      if (endLinks) insertEndedKey(this.#database, kid);
      return { ok: true, record: { ...record, secrets } };
    });
  }

  /** Whether webhooks are sent only to URLs that have proven themselves. */
  demandsProof(): boolean {
    return this.#record.read()?.webhookChallenge === true;
  }

  /** Signed read URLs count whole seconds: what is signed from the next one on is valid. */
  revokeReadUrls(): Promise<Changed> {
    const readUrlsFromMs = (Math.floor(this.#host.now() / 1000) + 1) * 1000;
    return this.#record.change((record) => ({ ok: true, record: { ...record, readUrlsFromMs } }));
  }

  async remove(): Promise<Result<object>> {
    if (this.#record.read() === undefined) return refuseNoProject();
    await this.#record.write(null);
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
    return this.#record.read()?.secrets ?? [];
  }

  counters(): Counters {
    return readCounters(this.#database);
  }

  /**
   * Records a stream's report, see `ProjectApi.note`.
   * @throws Error when too many changes wait for the registry, or a subscription could not be notified.
   */
  async note(report: StreamReport): Promise<number | null> {
    const isNew = report.contentType === null || knownIncarnation(this.#database, report.stream) !== report.incarnation;
    if (isNew && countUnsent(this.#database) >= UNSENT_MAX) throw new Error("__registry__ has fallen behind.");
    if (isNew) applyNotice(this.#database, report);
    const { stream, incarnation, contentType } = report;
    const change = { stream, incarnation, hasEnded: contentType === null };
    await notifySubscriptions(this.#database, change, isNew, (id) => this.#host.subscription(this.#name, id));
    const quotaGrant = this.#allow(report);
    // To notify the registry, or to delete what was created with a token that some edge still accepted.
    this.#alarms.arm();
    await this.#host.sync();
    return quotaGrant;
  }

  /** Until they are over, the places count for the stream, whether or not they are taken. */
  async allowReaders({ stream, budget = "tokens", ...asked }: ReaderSlotsRequest): Promise<number | null> {
    const limit = liveReadersMax(this.#record.read()?.limits, budget);
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
    const limit = this.#record.read()?.limits.storedBytes ?? null;
    if (knownIncarnation(this.#database, stream) !== incarnation) return limit === null ? null : stored;
    const others = readStoredTotal(this.#database) - readStored(this.#database, stream);
    const quotaGrant = allowBytes({ limit, others, stored, wanted });
    this.#database.transaction(() => writeStored(this.#database, stream, quotaGrant ?? wanted));
    return quotaGrant;
  }

  /** Does what is due: see `upkeep.ts` and `published-record.ts`. */
  alarm(): Promise<void> {
    return this.#alarms.fire();
  }

  #isBeingRemoved(nowMs: number): boolean {
    const { removedAtMs } = this.#record;
    if (removedAtMs === undefined) return false;
    return nowMs < removedAtMs + REMOVAL_MS || this.#upkeep.isLeft();
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
