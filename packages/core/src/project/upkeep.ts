/**
 * What a project's alarm does besides publishing the record: writes changes to `__registry__`, ends the links of removed keys,
 * and deletes the streams and subscriptions of a removed project.
 */

import { REGISTRY_STREAM } from "@durable-streams-cloudflare/protocol";

import type { AlarmOutcome, Alarms } from "../kit/alarms.ts";
import type { Database } from "../kit/database.ts";
import type { ProjectHost } from "./host.ts";
import { endLinksOfKeys, hasLinksToEnd } from "./link-keys.ts";
import type { PublishedRecord } from "./published-record.ts";
import { notifyRegistry } from "./registry-stream.ts";
import { applyNotice, listStreams, readCounters } from "./tables/directory-rows.ts";
import { hasConsumers } from "./tables/interest-rows.ts";
import {
  countUnsent,
  endRegistryResend,
  hasRegistry,
  insertEvent,
  readRegistryResend,
  startOver,
  writeRegistryResend,
} from "./tables/registry-event-rows.ts";
import { removeConsumers } from "./wake-interest.ts";

/** What could not be done now is tried again after this long, and then ever less often. */
const RETRY_MS = 2_000;
const RETRY_MS_MAX = 60_000;
/** Streams that are sent to a new registry at once. */
const RETOLD_STREAMS = 256;
/** Streams of a removed project that are deleted before the alarm fires again. */
const SWEEP_STREAMS = 50;
const SWEEP_REST_MS = 1_000;

export class Upkeep {
  readonly #database: Database;
  readonly #host: ProjectHost;
  readonly #name: string;
  readonly #record: PublishedRecord;

  constructor(database: Database, host: ProjectHost, name: string, record: PublishedRecord, alarms: Alarms) {
    this.#database = database;
    this.#host = host;
    this.#name = name;
    this.#record = record;
    const retry = { retryMs: RETRY_MS, retryMsMax: RETRY_MS_MAX };
    alarms.add({
      ...retry,
      name: "delete the streams of the removed project",
      restMs: SWEEP_REST_MS,
      // As long as the edge does not know of it, more streams are made.
      dueAtMs: () => (record.isRemoved && record.isPublished && this.isLeft() ? 0 : undefined),
      run: () => this.#sweep(),
    });
    alarms.add({
      ...retry,
      name: "tell the registry",
      restMs: RETRY_MS,
      dueAtMs: () => (!record.isRemoved && this.#hasUnsent() ? 0 : undefined),
      run: () => this.#tellRegistry(),
    });
    alarms.add({
      ...retry,
      name: "end links of removed keys",
      restMs: RETRY_MS,
      dueAtMs: () => (hasLinksToEnd(database) ? 0 : undefined),
      run: async () => ((await endLinksOfKeys(database, (source) => host.followers(source))) ? "more" : undefined),
    });
  }

  /** Whether there is something of the project besides its record. */
  isLeft(): boolean {
    return readCounters(this.#database).streams > 0 || hasRegistry(this.#database) || hasConsumers(this.#database);
  }

  async #tellRegistry(): Promise<AlarmOutcome> {
    try {
      this.#resendToRegistry();
      const outcome = await notifyRegistry(this.#database, () => this.#host.registryStream(this.#name));
      if (outcome === "rejected") return await this.#beginRegistryAnew();
    } catch {
      return "failed";
    }
    return this.#hasUnsent() ? "more" : undefined;
  }

  /** Deletes the registry stream that no longer knows its own producer; a new one lists everything that exists now. */
  async #beginRegistryAnew(): Promise<void> {
    await this.#host.removeStream(this.#name, REGISTRY_STREAM);
    startOver(this.#database, true);
  }

  /** Queues some more of the streams for a new registry. A stream that it gets twice does no harm. */
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

  /** The registry goes last: until then it still gets the ends of streams. */
  async #sweep(): Promise<void> {
    if (!this.#record.isRemoved) return;
    await removeConsumers(this.#database, SWEEP_STREAMS, (id) => this.#host.subscription(this.#name, id));
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
}
