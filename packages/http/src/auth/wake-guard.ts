/**
 * Authorizes requests that carry a wake's token. The edge checks the token's tag first, so that no made-up token reaches an
 * object.
 */

import { readWakeToken, splitWakeToken, tagWakeToken } from "@durable-streams-cloudflare/core/contracts/wake-tag";
import { wallMs } from "@durable-streams-cloudflare/core/kit/time/clock";
import type { Project } from "@durable-streams-cloudflare/core/project/project";
import { hasWakeTag, wakeKey } from "@durable-streams-cloudflare/core/project/wake-keys";
import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import type { HttpRequest } from "../ports.ts";
import { noteCaller } from "../requests/request-notes.ts";
import { bearerOf } from "./claims-source.ts";
import { findProject, type ProjectFinder } from "./project-authorize.ts";

/**
 * What the edge checks of a wake's token, before the subscription verifies the token itself.
 * - `tag`: the tag must be made with one of the project's secrets.
 * - `form`: the same if the project has a record; otherwise the token only needs the form of a token of this subscription. For
 *   servers whose `authorize` hook knows projects without records.
 * - `nothing`: nothing is checked, with `AUTH_MODE=none`.
 */
export type WakeProof = "tag" | "form" | "nothing";

/** Checks and makes the tags of wake tokens. */
export class WakeGuard {
  readonly #finder: ProjectFinder | undefined;
  readonly #proof: WakeProof;
  readonly #now: () => number;

  constructor(finder: ProjectFinder | undefined, proof: WakeProof, now: () => number = wallMs) {
    this.#finder = finder;
    this.#proof = proof;
    this.#now = now;
  }

  /** Checks the request's bearer token, and returns the inner token, which the subscription verifies. */
  async open(request: HttpRequest, project: string, id: string): Promise<Result<{ token: string }>> {
    const bearer = bearerOf(request);
    if (bearer === null) return this.#refuse(request, refuseNoToken());
    const { inner } = splitWakeToken(bearer);
    if (this.#proof === "nothing") return { ok: true, token: inner };
    const found = await this.#find(project, request);
    if (!found.ok) return found;
    const claims = readWakeToken(bearer);
    if (claims?.subject !== `${project}/${id}`) return this.#refuse(request, refuseWake());
    const isProven = found.project === undefined ? this.#proof === "form" : await hasWakeTag(bearer, found.project);
    if (!isProven) return this.#refuse(request, refuseWake());
    noteCaller(request, "wake");
    return claims.expiresAtMs > this.#now() ? { ok: true, token: inner } : refuseExpired();
  }

  /** Adds the tag to a wake's token. The result is what the worker gets. */
  async tag(token: string, project: string, request: HttpRequest): Promise<Result<{ token: string }>> {
    const found = await this.#find(project, request);
    if (!found.ok) return found;
    const key = found.project && (await wakeKey(found.project.record.secrets, this.#now()));
    return { ok: true, token: key === undefined ? token : await tagWakeToken(token, key) };
  }

  /** Whether the project may exist, for routes that need no token. */
  async isKnown(project: string, request: HttpRequest): Promise<Result<{ isKnown: boolean }>> {
    if (this.#proof !== "tag") return { ok: true, isKnown: true };
    const found = await this.#find(project, request);
    return found.ok ? { ok: true, isKnown: found.project !== undefined } : found;
  }

  async #find(name: string, request: HttpRequest): Promise<Result<{ project: Project | undefined }>> {
    return this.#finder === undefined ? { ok: true, project: undefined } : findProject(this.#finder, name, request);
  }

  #refuse(request: HttpRequest, refusal: Refusal): Refusal {
    return this.#finder === undefined ? refusal : this.#finder.strangers.refuse(request, refusal);
  }
}

const CHALLENGE = { "WWW-Authenticate": 'Bearer error="invalid_token"' };

function refuseNoToken(): Refusal {
  return refuse("unauthenticated", "The request has no wake token in its Authorization header.", {
    headers: { "WWW-Authenticate": "Bearer" },
  });
}

/** The same whether or not there is such a subscription, or such a project. */
function refuseWake(): Refusal {
  return refuse("unauthenticated", "The token does not belong to this subscription.", { headers: CHALLENGE });
}

function refuseExpired(): Refusal {
  return refuse("token-expired", "The token has expired.", { headers: CHALLENGE });
}
