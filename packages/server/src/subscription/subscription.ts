/**
 * Everybody who follows one source: who that is (`links.ts`), and what the source has to bring them (`rounds.ts`), in the
 * turns of an alarm.
 *
 * Sessions know by their own marks what they have, so what is brought again after a crash is not appended again.
 */

import type { Result } from "@durable-streams-cloudflare/protocol";

import type {
  LinkCommand,
  LinkFacts,
  ShardFacts,
  ShardFailure,
  ShardRef,
  SourceNews,
  UnlinkCommand,
} from "../rpc/fan-out.ts";
import { forgetUnwanted, hasLinks, hasLinkTables, nextRetryMs } from "../storage/link-rows.ts";
import type { SubscriptionHost } from "./host.ts";
import { Links } from "./links.ts";
import { Rounds } from "./rounds.ts";
import { Shards, type ShardLimits } from "./shards.ts";
import { SourceState } from "./source-state.ts";

/** A turn that broke off, or whose object died, is repeated after this long, then after twice as long, and so on. */
const RETRY_MS_MIN = 2_000;
const RETRY_MS_MAX = 60_000;
/** As long as shards are with the queue, the alarm fires this often: an object that comes back serves them itself. */
const SHARDS_WATCH_MS = 2_000;

export class Subscription {
  readonly #host: SubscriptionHost;
  readonly #source: SourceState;
  readonly #links: Links;
  readonly #shards: Shards;
  readonly #rounds: Rounds;
  #isRunning = false;
  /** There was news while a turn went on. */
  #hasNews = false;
  /** Turns that broke off, one after the other. */
  #failures = 0;

  constructor(host: SubscriptionHost, limits: ShardLimits) {
    this.#host = host;
    this.#source = new SourceState(host.database);
    this.#links = new Links(host, this.#source, () => this.#wake());
    this.#shards = new Shards(host, this.#source, () => this.#wake(), limits);
    this.#rounds = new Rounds(host, this.#source, this.#shards);
  }

  /** Begins a link. May be repeated: the first time counts. */
  link(command: LinkCommand): Promise<Result<LinkFacts>> {
    return this.#links.link(command);
  }

  /** Ends a link. What was published before still arrives, unless the session is gone. May be repeated. */
  unlink(command: UnlinkCommand): Promise<Result<object>> {
    return this.#links.unlink(command);
  }

  /** The source says that there is news. */
  notify(news: SourceNews | null): number | null {
    if (!hasLinkTables(this.#host.database)) return null;
    // The source has ended: who waits for the queue must learn of it.
    if (news === null) this.#shards.recall();
    if (!this.#isKnown(news) && hasLinks(this.#host.database)) this.#wake();
    return this.#source.row.token;
  }

  /** Whom a shard is to be brought to; `null`: it is not wanted any more. */
  shard(ref: ShardRef): ShardFacts | null {
    return hasLinkTables(this.#host.database) ? this.#shards.factsOf(ref) : null;
  }

  /** A shard has been served, but for some. */
  shardServed(ref: ShardRef, failures: readonly ShardFailure[]): void {
    if (hasLinkTables(this.#host.database)) this.#shards.served(ref, failures);
  }

  /** One turn of deliveries. Set again before it works, should this object die meanwhile. */
  async alarm(): Promise<void> {
    if (!hasLinkTables(this.#host.database)) return;
    this.#host.setAlarm(this.#host.now() + Math.min(RETRY_MS_MIN * 2 ** this.#failures, RETRY_MS_MAX));
    this.#isRunning = true;
    this.#hasNews = false;
    let hasMore: boolean;
    try {
      hasMore = await this.#rounds.turn();
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      this.#host.report("A turn of deliveries broke off; it is repeated.", error);
      return;
    } finally {
      this.#isRunning = false;
    }
    await this.#rest(hasMore || this.#hasNews);
  }

  /** Whether all links that keep up have this already. */
  #isKnown(news: SourceNews | null): boolean {
    const { incarnation, position, round, closedAt } = this.#source.row;
    // When the shards have been served, it looks by itself.
    if (news !== null && this.#shards.areOut) return true;
    if (news === null || round !== null || this.#isRunning) return false;
    return news.incarnation === incarnation && news.tail === position && news.closed === (closedAt !== null);
  }

  /** Sets the alarm for what comes next, if anything: what is published after this is notified. */
  async #rest(hasMore: boolean): Promise<void> {
    const forgetAtMs = forgetUnwanted(this.#host.database, this.#host.now());
    if (!hasLinks(this.#host.database) && this.#links.making === 0) return this.#retire(forgetAtMs);
    const now = this.#host.now();
    const watchAtMs = this.#shards.dueAtMs === undefined ? undefined : now + SHARDS_WATCH_MS;
    const times = [nextRetryMs(this.#host.database), this.#shards.dueAtMs, watchAtMs, forgetAtMs];
    const next = hasMore ? now : Math.max(now, Math.min(...times.map((time) => time ?? Infinity)));
    if (next < Infinity) this.#host.setAlarm(next);
    else this.#host.clearAlarm();
  }

  /** Nobody follows any more: the source need not tell of news, and nothing is kept. */
  async #retire(forgetAtMs: number | undefined): Promise<void> {
    const { token } = this.#source.row;
    if (token !== null) {
      this.#source.write({ token: null });
      await this.#host.sync();
      await this.#host.stream(this.#host.name).unfollow(token);
    }
    if (forgetAtMs !== undefined) return this.#host.setAlarm(forgetAtMs);
    if (this.#links.making > 0 || this.#source.row.token !== null || hasLinks(this.#host.database)) return;
    this.#source.forget();
    await this.#host.purge();
  }

  #wake(): void {
    if (this.#isRunning) this.#hasNews = true;
    else if (hasLinkTables(this.#host.database)) this.#host.setAlarm(this.#host.now());
  }
}
