/** The ports that a source's follower set needs from its host; tests supply their own. */

import type { LinkKeysApi, LinkOwnerApi, SessionApi, ShardRef, SourceApi } from "../../contracts/fan-out.ts";
import type { Database } from "../../kit/database.ts";
import type { SegmentStore } from "../../log/segment-store.ts";

/** What a source answers that is not there any more. */
export const SOURCE_GONE: ReadonlySet<string> = new Set(["stream-not-found", "stream-deleted", "offset-gone"]);

export interface FollowerSetHost {
  readonly database: Database;
  /** The source's full name. */
  readonly name: string;
  /** Where cold segments are kept, if anywhere. */
  readonly segments: SegmentStore | undefined;
  /** The object of a stream: the source, or one that it was forked from. */
  stream(name: string): SourceApi;
  /** The object of a session's stream. Its calls fail when they take too long. */
  session(name: string): SessionApi;
  /** What a session knows of its links. Its calls fail when they take too long. */
  owner(session: string): LinkOwnerApi;
  /** The project's list of what each key has made; `undefined`: there are no keys. */
  readonly keys?: LinkKeysApi | undefined;
  /** The queue that takes shards of large passes, a hundred at once; `undefined`: there is none. */
  readonly shards?: { send(refs: readonly ShardRef[]): Promise<void> } | undefined;
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves so much later, when others have had their turn; whether as little as possible is to begin then. */
  pause(ms?: number): Promise<boolean>;
  /** Resolves when everything written so far is durable. */
  sync(): Promise<void>;
  /** Deletes all that is stored, alarm included. */
  purge(): Promise<void>;
  /** Asks for `FollowerSet.alarm` at an instant, in ms; replaces an earlier wish. */
  setAlarm(atMs: number): void;
  clearAlarm(): void;
  /** Reports a failure that no caller learns of. */
  report(message: string, error: unknown): void;
}
