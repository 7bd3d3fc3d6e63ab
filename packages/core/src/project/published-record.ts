/**
 * A project's record: changes it one change at a time, and publishes it to the edge's copy in KV. KV accepts one write a second
 * for each key, and may fail; the alarm publishes what could not be published at once.
 */

import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import { viewOf, type ProjectRecord, type ProjectView } from "../contracts/project-record.ts";
import type { Alarms } from "../kit/alarms.ts";
import type { Database } from "../kit/database.ts";
import type { ProjectHost } from "./host.ts";
import { markPublished, readProjectRow, writeProjectRow } from "./tables/project-rows.ts";

/** KV takes one write a second for each key. */
const RETRY_MS = 2_000;
const RETRY_MS_MAX = 60_000;

export type Changed = Result<{ project: ProjectView }>;

export class PublishedRecord {
  readonly #database: Database;
  readonly #host: ProjectHost;
  readonly #name: string;
  readonly #alarms: Alarms;

  constructor(database: Database, host: ProjectHost, name: string, alarms: Alarms) {
    this.#database = database;
    this.#host = host;
    this.#name = name;
    this.#alarms = alarms;
    alarms.add({
      name: "publish the record",
      retryMs: RETRY_MS,
      retryMsMax: RETRY_MS_MAX,
      // Whoever changes the record publishes it, too: the alarm is for the case that this fails, or that the object dies.
      delayMs: RETRY_MS,
      dueAtMs: () => (this.isPublished ? undefined : 0),
      run: async () => {
        const row = readProjectRow(database);
        if (row?.published === false) await this.#publish(row.record);
      },
    });
  }

  /** `undefined`: there is no such project, or it was removed. */
  read(): ProjectRecord | undefined {
    const text = readProjectRow(this.#database)?.record;
    return typeof text === "string" ? (JSON.parse(text) as ProjectRecord) : undefined;
  }

  get isRemoved(): boolean {
    return readProjectRow(this.#database)?.record === null;
  }

  /** Whether the edge's copy is what is written down here. */
  get isPublished(): boolean {
    return readProjectRow(this.#database)?.published !== false;
  }

  /** `undefined`: it was not. */
  get removedAtMs(): number | undefined {
    return readProjectRow(this.#database)?.removedAtMs ?? undefined;
  }

  async change(change: (record: ProjectRecord) => Result<{ record: ProjectRecord }>): Promise<Changed> {
    const record = this.read();
    if (record === undefined) return refuseNoProject();
    const changed = change(record);
    if (!changed.ok) return changed;
    await this.write(changed.record);
    return { ok: true, project: viewOf(changed.record) };
  }

  /** @param record `null`: the project is removed. */
  async write(record: ProjectRecord | null): Promise<void> {
    const text = record === null ? null : JSON.stringify(record);
    const removedAtMs = record === null ? this.#host.now() : null;
    this.#database.transaction(() => writeProjectRow(this.#database, text, removedAtMs));
    this.#alarms.arm();
    await this.#host.sync();
    // What KV does not take now is published by the alarm.
    await this.#publish(text).catch(() => undefined);
    this.#alarms.arm();
  }

  async #publish(text: string | null): Promise<void> {
    await this.#host.publish(this.#name, text);
    markPublished(this.#database, text);
  }
}

export function refuseNoProject(): Refusal {
  return refuse("project-not-found", "No project has this name.");
}
