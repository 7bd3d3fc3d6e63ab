/**
 * A cache of recently verified tokens, because verifying one takes a quarter of a read's time. An entry is valid only for the
 * project record that the token was verified against: when the record changes or is read again, twice a minute, tokens are
 * verified again.
 */

import { wallMs } from "@durable-streams-cloudflare/core/kit/time/clock";
import type { Project } from "@durable-streams-cloudflare/core/project/project";
import type { Result } from "@durable-streams-cloudflare/protocol";

import type { TokenClaims } from "./token.ts";

const ENTRIES_MAX = 2_048;
/** Longer ones are verified each time. */
const TOKEN_CHARACTERS_MAX = 1_024;

type Verify = (token: string, project: Project) => Promise<Result<{ claims: TokenClaims }>>;

interface Entry {
  readonly project: Project;
  readonly claims: TokenClaims;
}

/** One isolate's cache of verified tokens of one kind, with a limit on its size. */
export class VerifiedTokens {
  readonly #verify: Verify;
  readonly #now: () => number;
  /** In the order of their verification, oldest first. */
  readonly #entries = new Map<string, Entry>();

  /**
   * @param verify verifies tokens of one kind. Each kind needs a cache of its own: a token that is valid in a URL is not valid
   *   in a header.
   */
  constructor(verify: Verify, now: () => number = wallMs) {
    this.#verify = verify;
    this.#now = now;
  }

  async verify(token: string, project: Project): Promise<Result<{ claims: TokenClaims }>> {
    const known = this.#entries.get(token);
    if (known !== undefined && known.project === project && this.#now() < known.claims.expiresAtMs) {
      return { ok: true, claims: known.claims };
    }
    this.#entries.delete(token);
    const verified = await this.#verify(token, project);
    if (verified.ok && token.length <= TOKEN_CHARACTERS_MAX) this.#keep(token, { project, claims: verified.claims });
    return verified;
  }

  #keep(token: string, entry: Entry): void {
    const [oldest] = this.#entries.keys();
    if (this.#entries.size >= ENTRIES_MAX && oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(token, entry);
  }
}
