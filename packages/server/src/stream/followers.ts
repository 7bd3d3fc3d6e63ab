/**
 * A stream that is followed. It knows only *that* it is: who follows, and how far each got, is the business of its
 * subscription, which is told that there is something new and comes to fetch it. A stream that nobody follows does
 * nothing here.
 */

import { inheritedStretches, offsetAt, refuse, type Result } from "@durable-streams-cloudflare/protocol";

import type { FollowCommand, FollowFacts, PullCommand, PullFacts, SourceNews } from "../rpc/fan-out.ts";
import type { Appends } from "../storage/hot-log.ts";
import { coldSlices } from "../storage/segment-rows.ts";
import { updateFollowed } from "../storage/stream-row.ts";
import { resolveAnchor } from "./forks.ts";
import type { StreamHost } from "./host.ts";
import { resolveOffset } from "./resolve-offset.ts";
import type { StreamState } from "./state.ts";

/** Bytes that are handed on together, unless one append has more. */
const PULL_BYTES = 256 * 1024;

/** Tells the subscription of news: one call at a time, however many commits there are. */
export class Followers {
  readonly #host: StreamHost;
  #isTelling = false;
  #hasNews = false;

  constructor(host: StreamHost) {
    this.#host = host;
  }

  /**
   * Something durable has happened to the stream. Nobody waits for this: should the call get lost, the subscription
   * looks by itself.
   * @param current the stream that is here now, if any.
   */
  tell(current: () => StreamState | undefined): void {
    this.#hasNews = true;
    if (!this.#isTelling) void this.#run(current);
  }

  async #run(current: () => StreamState | undefined): Promise<void> {
    this.#isTelling = true;
    while (this.#hasNews) {
      // The append's own answer leaves first, and what else is appended meanwhile is told with it.
      const paused = this.#host.pause?.();
      if (paused !== undefined) await paused;
      this.#hasNews = false;
      const before = current();
      const token = before?.followed;
      const wanted = await this.#host.notifyFollowers?.(newsOf(before)).catch(() => undefined);
      const state = current();
      // Not followed any more; its word did not arrive, or came before another.
      if (wanted !== undefined && state !== undefined && state.followed === token && wanted !== token) {
        setFollowed(state, this.#host, null);
      }
    }
    this.#isTelling = false;
  }
}

function newsOf(state: StreamState | undefined): SourceNews | null {
  if (state === undefined || state.deleted) return null;
  return { incarnation: state.lineage.incarnation, tail: state.tail, closed: state.closure !== undefined };
}

export function setFollowed(state: StreamState, { database }: StreamHost, token: number | null): void {
  if (state.followed === token) return;
  updateFollowed(database, token);
  state.followed = token;
}

/** Where a new link begins, if it can: a place where an append ended. */
export async function planFollow(
  state: StreamState,
  host: StreamHost,
  { from }: FollowCommand,
): Promise<Result<FollowFacts>> {
  if (state.kind === "session") {
    return refuse("session-as-source", "The source is itself a session.", {
      hint: "Subscribe to the sources of that session: following sessions could go round in circles.",
    });
  }
  const resolved = resolveOffset(state, from);
  if (typeof resolved !== "number") return resolved;
  const position = from.kind === "at" ? await resolveAnchor(state, host, { offset: from }) : resolved;
  if (typeof position !== "number") return position;
  const { lineage, contentType } = state;
  const { incarnation } = lineage;
  return { ok: true, incarnation, contentType, position, offset: offsetAt(lineage, position) };
}

/** Whole appends from a position on, or who has them. */
export function pullFrom(
  state: StreamState,
  { database, name }: StreamHost,
  { from, to, forFork }: PullCommand,
): PullFacts {
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

const NOTHING: Appends & Pick<PullFacts, "cold" | "stretch"> = {
  bytes: new Uint8Array(),
  ends: [],
  cold: [],
  stretch: undefined,
};
