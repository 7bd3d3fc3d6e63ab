/** The ports that an estuary needs from its host; tests supply their own. */

import type { Result } from "@durable-streams-cloudflare/protocol";

import type { SessionStreamApi, FollowerSetApi } from "../../contracts/fan-out.ts";
import type { Database } from "../../kit/database.ts";

export interface EstuaryHost {
  readonly database: Database;
  /** The full name of the session's stream, and of this object. */
  readonly name: string;
  /** The object of the session's stream. */
  readonly stream: SessionStreamApi;
  /** The object of a source. */
  source(name: string): { head(): Promise<Result<{ readonly contentType: string }>> };
  /** Everybody who follows a source. */
  followers(source: string): Pick<FollowerSetApi, "link" | "unlink">;
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves when everything written so far is durable. */
  sync(): Promise<void>;
  /** Deletes all that is stored, alarm included. */
  purge(): Promise<void>;
  /** Asks for `Estuary.alarm` at an instant, in ms; replaces an earlier wish. */
  setAlarm(atMs: number): void;
  clearAlarm(): void;
  /** Reports a failure that no caller learns of. */
  report(message: string, error: unknown): void;
}
