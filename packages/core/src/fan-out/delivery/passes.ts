/**
 * Delivers the source's new pages to its followers, in turns of bounded work. One page is delivered to all links that keep up,
 * in the order of their sessions' names: that is a delivery pass. A link that fails falls behind; it is served separately until
 * it has caught up, so that it delays no other link.
 */

import type { Result } from "@durable-streams-cloudflare/protocol";

import { mapConcurrent } from "../../kit/map-concurrent.ts";
import { SOURCE_GONE, type FollowerSetHost } from "../source/host.ts";
import { hasLinks, hasLinksUpTo, sessionsAfter, sessionsBehind, sessionsUpTo } from "../source/link-rows.ts";
import { EVERYBODY, type SourceState } from "../source/source-state.ts";
import { callsFor, Dispatcher, CALLS_MAX, type Route } from "./dispatcher.ts";
import { Pace } from "./pacer.ts";
import { Pages, type Batch } from "./pages.ts";
import type { Shards } from "./shards.ts";

/** Deliveries of one turn, well below what one invocation may call. */
const TURN_DELIVERIES = 512;
/** Of them, for links that have fallen behind, so that they get on while passes go on and on. */
const TURN_DELIVERIES_BEHIND = 128;
/** Sessions that are read at once, and delivered to before that is written down. */
const BATCH_SESSIONS = 128;
/** Each of these may carry another page. */
const CALLS_MAX_BEHIND = 4;

export class DeliveryPasses {
  readonly #host: FollowerSetHost;
  readonly #source: SourceState;
  readonly #shards: Shards;

  constructor(host: FollowerSetHost, source: SourceState, shards: Shards) {
    this.#host = host;
    this.#source = source;
    this.#shards = shards;
  }

  /** @returns whether there is more to do at once. */
  async turn(): Promise<boolean> {
    if (!hasLinks(this.#host.database)) return false;
    await this.#host.pause();
    const { beginnings } = this.#source;
    const { incarnation, endedIncarnation } = this.#source.row;
    const hasEndsLeft = endedIncarnation > 0 && (await this.#sayEnded(endedIncarnation));
    // Otherwise what is found out about the earlier incarnation, such as its end, would be taken for the new one's.
    if (this.#source.beginnings !== beginnings) return true;
    const pages = new Pages(this.#host, incarnation);
    if (this.#shards.areOut) return (await this.#serveBehind(pages)) || hasEndsLeft;
    const page = await this.#look(pages);
    if (page === undefined) return true;
    const hasMore = (await this.#shards.send()) ?? (await this.#runPass(pages, page));
    if (this.#source.beginnings !== beginnings) return true;
    return (await this.#serveBehind(pages)) || hasMore || hasEndsLeft;
  }

  /**
   * Fetches the page of the pass, or of the next one if there is anything.
   * @returns `undefined` when it is of no use: the source is gone, or has begun anew meanwhile.
   */
  async #look(pages: Pages): Promise<Result<Batch> | undefined> {
    const { beginnings } = this.#source;
    const { position, pass } = this.#source.row;
    const page = await pages.at(position, pass?.to ?? null);
    if (this.#source.beginnings !== beginnings) return undefined;
    const { incarnation, endedIncarnation, closedAt: closedBefore } = this.#source.row;
    if (page.ok) {
      const closedAt = page.isLast ? page.to : closedBefore;
      const isNew = page.to > position || closedAt !== closedBefore;
      if (pass === null && isNew) this.#source.beginPass(page.to, closedAt);
      return page;
    }
    if (!SOURCE_GONE.has(page.problem.code)) throw new Error(`The source cannot be read: ${page.problem.code}.`);
    if (endedIncarnation === incarnation) return page;
    this.#source.abandonPass({ endedIncarnation: incarnation });
    return undefined;
  }

  /** Delivers the pass's page to as many sessions as a turn may. @returns whether there may be more to deliver. */
  async #runPass(pages: Pages, page: Result<Batch>): Promise<boolean> {
    const { beginnings } = this.#source;
    const { pass } = this.#source.row;
    if (pass === null) return false;
    const route = this.#routeOf(pages, TURN_DELIVERIES, () => pass.to);
    const dispatcher = new Dispatcher(this.#host, route);
    for (let after = pass.after; after !== EVERYBODY && route.left > 0;) {
      const limit = Math.min(BATCH_SESSIONS, route.left);
      const sessions = sessionsAfter(this.#host.database, after, limit);
      after = sessions.length < limit ? EVERYBODY : (sessions.at(-1) ?? EVERYBODY);
      this.#source.claim(after);
      await mapConcurrent(sessions, callsFor(page.ok ? page.bytes.length : 0), (session) => dispatcher.serve(session));
      // The source has begun anew, or the queue has done the rest.
      if (this.#source.beginnings !== beginnings || this.#source.row.pass?.to !== pass.to) return true;
      this.#source.reached(after, this.#host.now());
    }
    // What was committed since the page was fetched is notified.
    return this.#source.row.pass !== null || !page.ok || !page.isTail;
  }

  /** @returns whether there may be more to do. */
  async #serveBehind(pages: Pages): Promise<boolean> {
    const { database } = this.#host;
    const sessions = sessionsBehind(database, this.#host.now(), TURN_DELIVERIES_BEHIND);
    if (sessions.length === 0) return false;
    // A shard that is under way may be without them.
    const route = this.#routeOf(pages, TURN_DELIVERIES_BEHIND, (session) => this.#source.claimedPosition(session));
    const dispatcher = new Dispatcher(this.#host, route);
    await mapConcurrent(sessions, CALLS_MAX_BEHIND, (session) => dispatcher.serve(session));
    return route.left <= 0;
  }

  /** Notifies links to incarnations of the source that are over. @returns whether there are more to notify at once. */
  async #sayEnded(incarnation: number): Promise<boolean> {
    const { database } = this.#host;
    const sessions = sessionsUpTo(database, incarnation, this.#host.now(), TURN_DELIVERIES);
    const pages = new Pages(this.#host, incarnation);
    const route = this.#routeOf(pages, TURN_DELIVERIES, (session) => this.#source.sharedPosition(session));
    const dispatcher = new Dispatcher(this.#host, route);
    await mapConcurrent(sessions, CALLS_MAX, (session) => dispatcher.serve(session));
    const isDone = !hasLinksUpTo(database, incarnation);
    if (isDone && this.#source.row.endedIncarnation === incarnation) this.#source.write({ endedIncarnation: 0 });
    return sessionsUpTo(database, incarnation, this.#host.now(), 1).length > 0;
  }

  #routeOf(pages: Pages, left: number, target: Route["target"]): Route {
    const { incarnation, contentType, closedAt, endedIncarnation } = this.#source.row;
    const shared = (session: string): number => this.#source.sharedPosition(session);
    const pace = new Pace(this.#host);
    return { pages, pace, incarnation, contentType, shared, target, endedIncarnation, closedAt, left };
  }
}
