/**
 * Owns one project's record: changes it, one change at a time, and publishes each to KV. KV alone has no
 * compare-and-set: two managers who rotate secrets at the same time would lose one of them.
 */

import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import type { Database } from "../storage/database.ts";
import { markPublished, readProjectRow, writeProjectRow } from "../storage/project-rows.ts";
import type { CreateProjectCommand, NewSecret, ProjectHost } from "./commands.ts";
import { INITIAL_SETTINGS, viewOf, type ProjectRecord, type ProjectSettings, type ProjectView } from "./record.ts";

/** Each is tried on a token that names none. */
const SECRETS_MAX = 8;
/** KV takes one write a second for each key. */
const PUBLISH_RETRY_MS = 2_000;

type Changed = Result<{ project: ProjectView }>;

export class ProjectOwner {
  readonly #database: Database;
  readonly #host: ProjectHost;
  readonly #name: string;

  constructor(database: Database, host: ProjectHost, name: string) {
    this.#database = database;
    this.#host = host;
    this.#name = name;
  }

  async create(command: CreateProjectCommand): Promise<Result<{ project: ProjectView; secret: NewSecret }>> {
    if (this.#record() !== undefined) {
      return refuse("project-exists", "There is a project of this name.", { hint: "Change it with PATCH." });
    }
    const nowMs = this.#host.now();
    const secret = this.#newSecret(command.secret);
    const record: ProjectRecord = {
      ...INITIAL_SETTINGS,
      ...command.settings,
      name: this.#name,
      createdAtMs: nowMs,
      secrets: [{ ...secret, createdAtMs: nowMs }],
      readUrlsFromMs: 0,
    };
    await this.#write(record);
    return { ok: true, project: viewOf(record), secret };
  }

  update(settings: Partial<ProjectSettings>): Promise<Changed> {
    return this.#change((record) => ({ ...record, ...settings }));
  }

  async addSecret(text: string | undefined): Promise<Result<{ secret: NewSecret }>> {
    const secret = this.#newSecret(text);
    const changed = await this.#change((record) => {
      if (record.secrets.length >= SECRETS_MAX) {
        return refuse("settings-invalid", `A project has at most ${SECRETS_MAX} secrets.`, {
          hint: "Remove one that no token is signed with any more.",
        });
      }
      return { ...record, secrets: [{ ...secret, createdAtMs: this.#host.now() }, ...record.secrets] };
    });
    return changed.ok ? { ok: true, secret } : changed;
  }

  removeSecret(kid: string): Promise<Changed> {
    return this.#change((record) => {
      const secrets = record.secrets.filter((secret) => secret.kid !== kid);
      if (secrets.length === record.secrets.length) return refuse("secret-not-found", "There is no such secret.");
      if (secrets.length === 0) {
        return refuse("secret-last", "The last secret of a project stays.", { hint: "Add another one first." });
      }
      return { ...record, secrets };
    });
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

  /** Publishes what could not be published before. */
  async alarm(): Promise<void> {
    const row = readProjectRow(this.#database);
    if (row !== undefined && !row.published) await this.#publish(row.record);
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
    this.#database.transaction(() => writeProjectRow(this.#database, text));
    // Should this object die before it has published, or KV refuse.
    this.#host.setAlarm(this.#host.now() + PUBLISH_RETRY_MS);
    await this.#host.sync();
    await this.#publish(text);
  }

  async #publish(text: string | null): Promise<void> {
    try {
      await this.#host.publish(this.#name, text);
      markPublished(this.#database, text);
    } catch {
      this.#host.setAlarm(this.#host.now() + PUBLISH_RETRY_MS);
    }
  }

  #newSecret(text: string | undefined): NewSecret {
    return { kid: this.#host.newKid(), secret: text ?? this.#host.newSecret() };
  }
}

export function refuseNoProject(): Refusal {
  return refuse("project-not-found", "There is no such project.");
}
