/**
 * A stream's part in the fan-out (`docs/estuaries.md`): as a source that sessions follow, and as the stream of a session, to
 * which sources deliver.
 */

import { offsetAt, refuseNotFound, type Result } from "@durable-streams-cloudflare/protocol";

import type {
  DeliverCommand,
  DeliverResult,
  FollowCommand,
  FollowResult,
  OpenSessionCommand,
  PullCommand,
  PullResult,
  SessionApi,
  SessionResult,
  SessionStreamApi,
  SourceApi,
} from "../../contracts/fan-out.ts";
import type { AppendCommand, AppendResult } from "../../contracts/stream.ts";
import type { Alarms } from "../../kit/alarms.ts";
import type { StreamHost } from "../host.ts";
import type { Lifecycle } from "../lifecycle/lifecycle.ts";
import { Followers, planFollow, pullFrom, setFollowed } from "../notify/followers.ts";
import { refuseGone } from "../read/resolve-offset.ts";
import { deliveryAppend, deliveryResult, openFault, refuseNoSession, sessionResult } from "./sessions.ts";

/** The operations of the stream itself that its fan-out needs. */
export interface FanOutPorts {
  /** Resolves when the append is durable. */
  append(command: AppendCommand): Promise<Result<AppendResult>>;
  /** Creates the stream of a session where there is none. */
  beginSession(command: OpenSessionCommand): Promise<Result<object>>;
  remove(): Promise<Result<object>>;
}

export class FanOut implements SourceApi, SessionApi, SessionStreamApi {
  readonly #host: StreamHost;
  readonly #lifecycle: Lifecycle;
  readonly #ports: FanOutPorts;
  readonly followers: Followers;

  constructor(host: StreamHost, lifecycle: Lifecycle, alarms: Alarms, ports: FanOutPorts) {
    this.#host = host;
    this.#lifecycle = lifecycle;
    this.#ports = ports;
    this.followers = new Followers(host, lifecycle, alarms);
  }

  /** A link of a session to this stream begins. From now on the follower set is notified. */
  async follow(command: FollowCommand): Promise<Result<FollowResult>> {
    const found = this.#lifecycle.require();
    if (!found.ok) return found;
    const { state } = found;
    const planned = await planFollow(state, this.#host, command);
    if (!planned.ok) return planned;
    const current = this.#lifecycle.require();
    if (!current.ok) return current;
    if (current.state !== state) return refuseNotFound();
    setFollowed(state, this.#host, command.token);
    this.#lifecycle.touch(state);
    await this.#host.sync();
    const { lineage, tail } = state;
    return command.from.kind === "now" ? { ...planned, position: tail, offset: offsetAt(lineage, tail) } : planned;
  }

  async unfollow(token: number): Promise<void> {
    const state = this.#lifecycle.stored();
    if (state?.followed === token) setFollowed(state, this.#host, null);
    await this.#host.sync();
  }

  /** What is to be delivered to followers. Does not renew a sliding lifetime. */
  async pull(command: PullCommand): Promise<Result<PullResult>> {
    const found = this.#lifecycle.require();
    const state = command.forFork === true ? this.#lifecycle.stored() : found.ok ? found.state : undefined;
    if (state === undefined) return command.forFork === true || found.ok ? refuseGone() : found;
    if (state.lineage.incarnation !== command.incarnation) return refuseGone();
    return { ok: true, ...pullFrom(state, this.#host, command) };
  }

  /** Makes this stream a session, or uses it as one. */
  async openSession(command: OpenSessionCommand): Promise<Result<SessionResult>> {
    const status = this.#lifecycle.status();
    if (status.kind === "live") return openFault(status.state, command) ?? this.session(true);
    const begun = await this.#ports.beginSession(command);
    return begun.ok ? this.session(false) : begun;
  }

  /** @param renew whether this is a use of the session, which renews its lifetime. */
  async session(renew: boolean): Promise<Result<SessionResult>> {
    const found = this.#lifecycle.require();
    if (!found.ok) return found;
    const { state } = found;
    if (state.kind !== "session") return refuseNoSession();
    if (renew) this.#lifecycle.touch(state);
    return { ok: true, ...sessionResult(state) };
  }

  async endSession(incarnation: number): Promise<Result<object>> {
    const found = this.#lifecycle.require();
    if (!found.ok) return found;
    const { state } = found;
    const isIt = state.kind === "session" && state.lineage.incarnation === incarnation;
    return isIt ? this.#ports.remove() : refuseNotFound();
  }

  /** Accepts what one of the session's sources delivers. Resolves when it is durable. */
  async deliver(command: DeliverCommand): Promise<Result<DeliverResult>> {
    return deliveryResult(command, await this.#ports.append(deliveryAppend(command)));
  }
}
