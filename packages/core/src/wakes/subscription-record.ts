/** The stored form of a subscription, and of one that was deleted. */

import { canonicalConfig, type SubscriptionConfig } from "@durable-streams-cloudflare/protocol";

export interface SubscriptionRecord {
  /** The streams that it names are links. */
  readonly config: Omit<SubscriptionConfig, "streams">;
  /** SHA-256 of the configuration in its one form, as hex. */
  readonly hash: string;
  readonly controlUrl: string;
  readonly createdAtMs: number;
  /** Signs the tokens of its wakes. */
  readonly secret: string;
  /** Whether the directory knows it, and all streams are linked that there were. */
  readonly isRegistered: boolean;
  /** Of a webhook whose project has demanded a proof of its URL. */
  readonly proof?: Proof;
  /**
   * When the directory is sent all names again, in ms: a call that takes one back was not answered, and may arrive after a call
   * that names it again. Missing: there is no such call.
   */
  readonly namesDueAtMs?: number;
}

/** Whether a webhook's URL has answered a challenge. */
export interface Proof {
  readonly provenAtMs: number | null;
  /** Challenges in a row that it did not answer. */
  readonly failures: number;
  /** Of the next challenge, while it is not proven. */
  readonly nextAtMs: number;
  readonly error: string | null;
}

/** What is left of one that was deleted. */
export interface Tombstone {
  readonly deletedAtMs: number;
  /** Missing in older ones. */
  readonly createdAtMs?: number;
  /** Whoever holds a token of one of its wakes may know that it is gone; missing in older ones: nobody does. */
  readonly secret?: string;
  /** Whether the directory has let go of it. */
  readonly isForgotten: boolean;
}

export async function hashConfig(config: SubscriptionConfig): Promise<string> {
  const bytes = new TextEncoder().encode(canonicalConfig(config));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
