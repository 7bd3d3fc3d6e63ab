/** The ports that a project needs from its host; tests supply their own. */

import type { FollowersStub } from "./link-keys.ts";
import type { RegistryStream } from "./registry-stream.ts";
import type { SubscriptionStub } from "./wake-interest.ts";

export interface ProjectHost {
  now(): number;
  /** A random id of ten characters or so. */
  newKid(): string;
  /** 256 random bits as text. */
  newSecret(): string;
  /** Writes the edge's copy, as JSON, or removes it. */
  publish(name: string, record: string | null): Promise<void>;
  /** The object of the project's `__registry__`; a new stub each time. */
  registryStream(project: string): RegistryStream;
  /** The object of a subscription of the project; a new stub each time. */
  subscription(project: string, id: string): SubscriptionStub;
  /** The object of a stream's followers, by its full name; a new stub each time. */
  followers(source: string): FollowersStub;
  /** Deletes a stream. @throws when that could not be done now. */
  removeStream(project: string, stream: string): Promise<void>;
  setAlarm(atMs: number): void;
  clearAlarm(): void;
  sync(): Promise<void>;
  /** Reports a failure that no caller learns of. */
  report(message: string, error: unknown): void;
}
