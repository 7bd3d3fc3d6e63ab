/**
 * The public keys that verify projects' webhooks. Anybody may ask for them, so they are cached briefly: a crowd makes one call.
 */

import type { PublicKey } from "@durable-streams-cloudflare/core/contracts/project";
import { monotonicMs } from "@durable-streams-cloudflare/core/kit/time/clock";

/** A rotation is seen by then; the answer itself may be kept for longer than that. */
const FRESH_MS = 10_000;
const PROJECTS_MAX = 1_000;

type Keys = readonly PublicKey[];

/** One isolate's cache of webhook keys, with a limit on its size. */
export class PublicKeys {
  readonly #now: () => number;
  /** In the order of their reading, oldest first. */
  readonly #entries = new Map<string, { readonly keys: Keys; readonly readAtMs: number }>();

  constructor(now: () => number = monotonicMs) {
    this.#now = now;
  }

  async of(project: string, read: () => Promise<Keys>): Promise<Keys> {
    const known = this.#entries.get(project);
    if (known !== undefined && this.#now() - known.readAtMs < FRESH_MS) return known.keys;
    const readAtMs = this.#now();
    const keys = await read();
    this.#entries.delete(project);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size >= PROJECTS_MAX && oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(project, { keys, readAtMs });
    return keys;
  }

  forget(project: string): void {
    this.#entries.delete(project);
  }
}
