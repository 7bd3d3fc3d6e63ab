/** A stream as the source of forks. A pin keeps the bytes that a fork reads until the fork releases it. */

import { refuse, refuseForkSourceNotFound, refuseTrimmed, type Result } from "@durable-streams-cloudflare/protocol";

import type { PinCommand, PinResult } from "../../contracts/stream.ts";
import type { StreamHost } from "../host.ts";
import type { Lifecycle } from "../lifecycle/lifecycle.ts";
import type { StreamState } from "../state.ts";
import { deleteFork, insertFork } from "../tables/fork-rows.ts";
import { planPin } from "./forks.ts";

export class Pins {
  readonly #host: StreamHost;
  readonly #lifecycle: Lifecycle;

  constructor(host: StreamHost, lifecycle: Lifecycle) {
    this.#host = host;
    this.#lifecycle = lifecycle;
  }

  /** A fork will read this stream's bytes up to a place. Deleting the stream and pinning it: one comes first. */
  async pin(command: PinCommand): Promise<Result<PinResult>> {
    const pinnable = this.#pinnable();
    if (!pinnable.ok) return pinnable;
    const planned = pinnable.state;
    const plan = await planPin(planned, this.#host, command, () => this.#lifecycle.stored() === planned);
    const current = this.#pinnable();
    if (!current.ok) return current;
    const { state } = current;
    if (!plan.ok) return plan;
    if (state !== planned) return refuseForkSourceNotFound();
    if ((plan.ancestors.at(-1)?.to ?? 0) < state.earliest) return refuseTrimmed(state.lineage, state.earliest);
    // After this instant the fork may have released the pin: nobody would ever release it again.
    if (this.#host.now() >= command.untilMs) return refuse("unavailable", "Creating the fork took too long.");
    this.#host.database.transaction(() => insertFork(this.#host.database, command.forkId, command.forkName));
    this.#lifecycle.touch(state);
    return { ...plan, earliest: state.earliest };
  }

  /** A fork does not need the bytes any more. */
  async release(forkId: string): Promise<void> {
    if (this.#lifecycle.stored() === undefined) return;
    deleteFork(this.#host.database, forkId);
    await this.#lifecycle.afterRelease();
  }

  /** The live stream, or why nothing can be forked from it [PROTOCOL §4.2, Fork creation errors]. */
  #pinnable(): Result<{ readonly state: StreamState }> {
    const status = this.#lifecycle.status();
    if (status.kind === "live") return { ok: true, state: status.state };
    return status.kind === "none"
      ? refuseForkSourceNotFound()
      : refuse("fork-source-deleted", "The stream to fork from was deleted.");
  }
}
