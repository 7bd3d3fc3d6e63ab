/** What is asked of a project's object, and what it answers: plain data, safe to send over RPC. */

import type { Result } from "@durable-streams-cloudflare/protocol";

import type { ProjectSecret, ProjectSettings, ProjectView } from "./record.ts";

export interface CreateProjectCommand {
  readonly name: string;
  readonly settings: Partial<ProjectSettings>;
  /** `undefined`: the object makes one. */
  readonly secret: string | undefined;
}

export type NewSecret = Pick<ProjectSecret, "kid" | "secret">;

/** The RPC interface of `ProjectDO`. */
export interface ProjectApi {
  /** The only answer that has the secret, besides `addSecret`'s. */
  create(command: CreateProjectCommand): Promise<Result<{ project: ProjectView; secret: NewSecret }>>;
  update(settings: Partial<ProjectSettings>): Promise<Result<{ project: ProjectView }>>;
  addSecret(secret: string | undefined): Promise<Result<{ secret: NewSecret }>>;
  removeSecret(kid: string): Promise<Result<{ project: ProjectView }>>;
  revokeReadUrls(): Promise<Result<{ project: ProjectView }>>;
  remove(): Promise<Result<object>>;
}

/** What the object needs from where it lives. */
export interface ProjectHost {
  now(): number;
  /** A random id of ten characters or so. */
  newKid(): string;
  /** 256 random bits as text. */
  newSecret(): string;
  /** Writes the edge's copy, as JSON, or removes it. */
  publish(name: string, record: string | null): Promise<void>;
  setAlarm(atMs: number): void;
  sync(): Promise<void>;
}
