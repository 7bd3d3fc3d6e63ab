/**
 * Delivers to sessions, one after the other, the bytes of the source that each session's links still need. The position stored
 * with a link is never ahead of what the session has; a session recognizes a duplicate delivery by its own watermark.
 */

import type { Result } from "@durable-streams-cloudflare/protocol";

import type { DeliverCommand, DeliverResult, LinkEnd, SourceEnd } from "../../contracts/fan-out.ts";
import { isExpired } from "../source/grant-rows.ts";
import type { FollowerSetHost } from "../source/host.ts";
import { deleteLink, linksOfSession, updateBehind, updateCaughtUp, type LinkRow } from "../source/link-rows.ts";
import type { Pace } from "./pacer.ts";
import type { Pages, Batch } from "./pages.ts";

/** A link that fails is tried again after this long, then after twice as long, and so on. */
export const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 600_000;

/** Calls under way at once, and bytes that they hold together. */
export const CALLS_MAX = 32;
const CALL_BYTES_MAX = 8 * 1024 * 1024;

/** What a session answers whose stream is gone, or was never one. */
const GONE: ReadonlySet<string> = new Set(["stream-not-found", "stream-deleted", "session-expected"]);

export interface Route {
  readonly pages: Pages;
  readonly pace: Pace;
  readonly contentType: string;
  /** How far links that keep up have got. */
  readonly shared: (session: string) => number;
  /** How far they are to get now. */
  readonly target: (session: string) => number;
  /** Links to incarnations of the source up to this one get no more than this notification. */
  readonly endedIncarnation: number;
  /** The incarnation of the source that the pages are of. */
  readonly incarnation: number;
  /** Where it is closed; `null`: nowhere yet. */
  readonly closedAt: number | null;
  /** Calls that may still be made; the alarm comes back for the rest. */
  left: number;
}

/**
 * What came of a call: the session is there now, does not want any more (because it is gone), or did not answer as it should.
 */
export type Outcome =
  | { readonly kind: "at"; readonly position: number }
  | { readonly kind: "over"; readonly isGone: boolean }
  | { readonly kind: "failed" };

export class Dispatcher {
  readonly #host: FollowerSetHost;
  readonly #route: Route;

  constructor(host: FollowerSetHost, route: Route) {
    this.#host = host;
    this.#route = route;
  }

  /** A session's links are served in their order: one begins when the one before it has run out. */
  async serve(session: string): Promise<void> {
    let isBlocked = false;
    for (const row of linksOfSession(this.#host.database, session)) {
      if (isBlocked) this.#wait(row);
      else isBlocked = !(await this.#serveLink(row));
    }
  }

  /** @returns whether the link is done and gone. */
  async #serveLink(row: LinkRow): Promise<boolean> {
    if (row.position !== null && row.retryAtMs > this.#host.now()) return false;
    const end = endOf(row, this.#host.now());
    if (end !== null) return this.#finish(row, this.#positionOf(row), end);
    if (row.incarnation <= this.#route.endedIncarnation) return this.#finish(row, this.#positionOf(row), "deleted");
    if (row.incarnation !== this.#route.incarnation) return false;
    const target = Math.min(row.until ?? Infinity, this.#route.target(row.session));
    let position = this.#positionOf(row);
    while (position < target) {
      if (this.#route.left <= 0) return this.#pause(row, position);
      const batch = await this.#batchFor(row, position, target);
      if (batch === undefined) return this.#fail(row, position);
      const outcome = await this.#deliver(row, batch);
      if (outcome.kind === "over") return this.#remove(row);
      if (outcome.kind === "failed") return this.#fail(row, position);
      position = outcome.position;
    }
    if (row.until !== null && position >= row.until) return this.#remove(row);
    if (position >= (this.#route.closedAt ?? Infinity)) return this.#finish(row, position, "closed");
    if (row.position !== null) updateCaughtUp(this.#host.database, row);
    return false;
  }

  /** Nothing more will come: notifies the session, as far as possible, and then its estuary. */
  async #finish(row: LinkRow, position: number, end: SourceEnd): Promise<boolean> {
    const said = await this.#sayEnd(row, position, end);
    return said === "over" ? this.#leave(row) : said;
  }

  /** Only envelopes can say that nothing more will come. @returns `over`: there is nothing more to say. */
  async #sayEnd(row: LinkRow, position: number, end: SourceEnd): Promise<boolean | "over"> {
    if (row.format === "raw") return "over";
    let from = position;
    while (this.#route.left > 0) {
      const nothing = {
        from,
        begin: from,
        to: from,
        bytes: new Uint8Array(),
        ends: [],
        owner: row.incarnation,
        isLast: true,
        isTail: true,
      };
      const outcome = await this.#deliver(row, nothing, end);
      if (outcome.kind === "over") return outcome.isGone ? this.#remove(row) : "over";
      if (outcome.kind === "failed") return this.#fail(row, from);
      from = outcome.position;
    }
    return this.#pause(row, from);
  }

  /** The session's estuary must know, so that subscribing makes a new link. */
  async #leave(row: LinkRow): Promise<boolean> {
    if (this.#route.left <= 0) return this.#pause(row, this.#positionOf(row));
    this.#route.left -= 1;
    await this.#route.pace.pass();
    try {
      await this.#host.owner(row.session).linkEnded(this.#host.name, row.link);
    } catch {
      return this.#fail(row, this.#positionOf(row));
    }
    return this.#remove(row);
  }

  async #deliver(row: LinkRow, batch: Batch, end?: SourceEnd): Promise<Outcome> {
    this.#route.left -= 1;
    await this.#route.pace.pass();
    const { contentType } = this.#route;
    return deliverBatch(this.#host, { ...row, source: this.#host.name, contentType }, batch, end);
  }

  /**
   * @returns `undefined` when it cannot be had, and the link has fallen behind: what one link alone wants may be damaged.
   * @throws when it cannot be had, and all want it: the alarm asks for it again.
   */
  async #batchFor(row: LinkRow, position: number, target: number): Promise<Batch | undefined> {
    try {
      const batch = await this.#route.pages.at(position, target);
      if (batch.ok && batch.to > position) return batch;
      throw new Error(`The bytes to deliver cannot be read: ${batch.ok ? "the log has a gap" : batch.problem.code}.`);
    } catch (error) {
      if (row.position !== null) return undefined;
      throw error;
    }
  }

  #positionOf({ position, start, session }: LinkRow): number {
    return position ?? Math.max(start, this.#route.shared(session));
  }

  #remove(row: LinkRow): true {
    deleteLink(this.#host.database, row);
    return true;
  }

  /** Goes on as soon as there is time. */
  #pause(row: LinkRow, position: number): false {
    updateBehind(this.#host.database, row, { position, failures: row.failures, retryAtMs: this.#host.now() });
    return false;
  }

  #fail(row: LinkRow, position: number): false {
    const delayMs = Math.min(RETRY_MS_MIN * 2 ** row.failures, RETRY_MS_MAX);
    const retryAtMs = this.#host.now() + delayMs;
    updateBehind(this.#host.database, row, { position, failures: row.failures + 1, retryAtMs });
    return false;
  }

  /** An earlier link of the session is not done: this one stays where it is. */
  #wait(row: LinkRow): void {
    const now = this.#host.now();
    if (row.position !== null && row.retryAtMs > now) return;
    const { failures } = row;
    updateBehind(this.#host.database, row, {
      position: this.#positionOf(row),
      failures,
      retryAtMs: now + RETRY_MS_MIN,
    });
  }
}

/** What a delivery says of its link. */
export type Address = Pick<DeliverCommand, "source" | "contentType" | "link" | "format" | "start"> &
  Pick<LinkRow, "session" | "sessionIncarnation">;

/** Calls a session. Never throws. */
export async function deliverBatch(
  host: Pick<FollowerSetHost, "session">,
  { session, sessionIncarnation, source, contentType, link, format, start }: Address,
  { from, begin, to, bytes, ends, authors, owner }: Batch,
  end?: SourceEnd,
): Promise<Outcome> {
  const command: DeliverCommand = {
    source,
    link,
    incarnation: sessionIncarnation,
    format,
    start,
    from,
    begin,
    to,
    bytes,
    ends,
    owner,
    contentType,
    ...(authors === undefined ? {} : { authors }),
    ...(end === undefined ? {} : { end }),
  };
  try {
    return outcomeOf(await host.session(session).deliver(command));
  } catch {
    return { kind: "failed" };
  }
}

/** Why a link delivers nothing more; `null`: it continues. An end that is due counts before the alarm has seen it. */
function endOf(row: LinkRow, nowMs: number): LinkEnd | null {
  return row.ended ?? (isExpired(row, nowMs) ? "expired" : null);
}

/** Calls that may be under way at once, by the bytes that each carries. */
export function callsFor(bytes: number): number {
  return Math.max(1, Math.min(CALLS_MAX, Math.floor(CALL_BYTES_MAX / Math.max(1, bytes))));
}

function outcomeOf(result: Result<DeliverResult>): Outcome {
  if (!result.ok) return GONE.has(result.problem.code) ? { kind: "over", isGone: true } : { kind: "failed" };
  return result.isOver ? { kind: "over", isGone: false } : { kind: "at", position: result.position };
}
