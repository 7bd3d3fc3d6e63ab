/**
 * Notifies the followers of this stream. The stream knows only *that* it is followed: its follower set knows by whom and how
 * far each has been served, and fetches new bytes when it is notified. A notification is repeated until it has arrived
 * (`outbox.ts`). For a stream without followers this does nothing.
 */

import { inheritedStretches, offsetAt, refuse, type Result } from "@durable-streams-cloudflare/protocol";

import type {
  FollowCommand,
  FollowResult,
  PullCommand,
  PullResult,
  SourceNotification,
  FollowerSetApi,
} from "../../contracts/fan-out.ts";
import type { Alarms } from "../../kit/alarms.ts";
import { withTimeout } from "../../kit/with-timeout.ts";
import type { Appends } from "../../log/hot-log.ts";
import { coldSlices } from "../../log/segment-rows.ts";
import { resolveAnchor } from "../forks/forks.ts";
import type { StreamHost } from "../host.ts";
import type { Lifecycle } from "../lifecycle/lifecycle.ts";
import { resolveOffset } from "../read/resolve-offset.ts";
import type { StreamState } from "../state.ts";
import { deleteEndNotice, readEndNotice } from "../tables/end-notice-rows.ts";
import { updateFollowed } from "../tables/stream-row.ts";
import { NOTIFY_MS_MAX, Outbox } from "./outbox.ts";

/** Subscriptions that have not answered by then are notified again. */
const ANSWER_MS_MAX = 15_000;
/** Bytes that are handed on together, unless one append has more. */
const PULL_BYTES = 256 * 1024;

/** The objects of followers. */
interface FollowerObjects {
  getByName(source: string): Pick<FollowerSetApi, "notify">;
}

/** How a stream notifies its follower set; `undefined`: the host has none, so nobody follows. */
export function followerNotifierOf(
  followers: FollowerObjects | undefined,
  name: string,
): StreamHost["notifyFollowers"] {
  if (followers === undefined) return undefined;
  return (notification) => withTimeout(ANSWER_MS_MAX, followers.getByName(name).notify(notification));
}

/** Notifies the follower set: one call at a time, however many commits there are. */
export class Followers {
  readonly #host: StreamHost;
  readonly #lifecycle: Lifecycle;
  readonly #alarms: Alarms;
  readonly #outbox: Outbox;
  /** When an end that was not notified before a restart is notified. */
  #endDueAtMs: number | undefined;

  constructor(host: StreamHost, lifecycle: Lifecycle, alarms: Alarms) {
    this.#host = host;
    this.#lifecycle = lifecycle;
    this.#alarms = alarms;
    this.#outbox = new Outbox({
      now: () => host.now(),
      arm: () => alarms.arm(),
      // The append's own answer leaves first.
      pause: async () => host.pause?.(),
      send: () => this.#notify(),
    });
    alarms.add({
      name: "notify followers",
      retryMs: NOTIFY_MS_MAX,
      everyFiring: true,
      dueAtMs: () => this.#dueAtMs(),
      run: () => this.#fire(),
    });
  }

  /** A commit is being written; in its turn. */
  committed({ followed }: StreamState): void {
    if (followed !== null) this.#outbox.record();
  }

  /** Something durable has happened to a stream, which may be gone by now. */
  notify({ followed }: StreamState): void {
    if (followed !== null) this.#outbox.flush();
  }

  /** The alarm fires, and is set again when its work is done. */
  #fire(): void {
    this.#outbox.fire();
    if (readEndNotice(this.#host.database) !== undefined) this.#outbox.flush();
  }

  #dueAtMs(): number | undefined {
    const { dueAtMs } = this.#outbox;
    const isRestored = dueAtMs === undefined && readEndNotice(this.#host.database) !== undefined;
    this.#endDueAtMs = isRestored ? (this.#endDueAtMs ?? this.#host.now() + NOTIFY_MS_MAX) : undefined;
    return dueAtMs ?? this.#endDueAtMs;
  }

  async #notify(): Promise<boolean> {
    const { database } = this.#host;
    const ended = readEndNotice(database);
    const before = this.#lifecycle.stored();
    const token = before?.followed ?? null;
    if (ended === undefined && token === null) return true;
    const wanted = await this.#host.notifyFollowers?.(ended === undefined ? notificationOf(before) : null);
    if (ended !== undefined) {
      deleteEndNotice(database, ended);
      // The notice may have been all that was kept.
      if (this.#lifecycle.stored() === undefined) this.#alarms.soon();
    }
    const state = this.#lifecycle.stored();
    // Not followed any more; its word did not arrive, or came before another.
    const isOver = wanted !== undefined && token !== null && wanted !== token;
    if (isOver && state?.followed === token) setFollowed(state, this.#host, null);
    return true;
  }
}

function notificationOf(state: StreamState | undefined): SourceNotification | null {
  if (state === undefined || state.deleted) return null;
  return { incarnation: state.lineage.incarnation, tail: state.tail, closed: state.closure !== undefined };
}

export function setFollowed(state: StreamState, { database }: StreamHost, token: number | null): void {
  if (state.followed === token) return;
  updateFollowed(database, token);
  state.followed = token;
}

/** The append boundary at which a new link begins, or a refusal. */
export async function planFollow(
  state: StreamState,
  host: StreamHost,
  { from }: FollowCommand,
): Promise<Result<FollowResult>> {
  if (state.kind === "session") {
    return refuse("session-as-source", "The source is a session.", {
      hint: "Subscribe to the sources of that session instead: sessions that follow sessions could form a loop.",
    });
  }
  const resolved = resolveOffset(state, from);
  if (!resolved.ok) return resolved;
  const anchor = from.kind === "at" ? await resolveAnchor(state, host, { offset: from }) : resolved;
  if (!anchor.ok) return anchor;
  const { position } = anchor;
  const { lineage, contentType } = state;
  const { incarnation } = lineage;
  return { ok: true, incarnation, contentType, position, offset: offsetAt(lineage, position) };
}

/** Whole appends from a position on, or which stream holds them. */
export function pullFrom(
  state: StreamState,
  { database, name }: StreamHost,
  { from, to, forFork }: PullCommand,
): PullResult {
  const { lineage, log, tail, closure, earliest } = state;
  const begin = forFork === true ? from : Math.max(from, earliest);
  const common = { begin, tail, closed: closure !== undefined };
  const limit = Math.min(to ?? tail, tail);
  const [stretch] = inheritedStretches(lineage, begin, state.base);
  if (stretch !== undefined || begin >= limit) return { ...common, ...NOTHING, stretch };
  if (begin >= log.first) return { ...common, ...NOTHING, ...log.readAppends(begin, limit, PULL_BYTES) };
  const { incarnation } = lineage;
  return {
    ...common,
    ...NOTHING,
    cold: coldSlices(database, { name, incarnation }, begin, Math.min(limit, log.first)),
  };
}

const NOTHING: Appends & Pick<PullResult, "cold" | "stretch"> = {
  bytes: new Uint8Array(),
  ends: [],
  cold: [],
  stretch: undefined,
};
