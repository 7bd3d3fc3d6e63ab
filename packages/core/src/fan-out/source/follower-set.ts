/**
 * All followers of one source: which links there are (`links.ts`), and what must still be delivered to them (`passes.ts`), in
 * the turns of an alarm.
 *
 * Sessions know by their own watermarks what they have, so what is delivered again after a crash is not appended again.
 */

import type { Result } from "@durable-streams-cloudflare/protocol";

import type {
  FollowerFilter,
  FollowerPage,
  LinkCommand,
  LinkResult,
  ListFollowersCommand,
  ShardResult,
  ShardFailure,
  ShardRef,
  SourceNotification,
  UnlinkCommand,
} from "../../contracts/fan-out.ts";
import { Alarms, type AlarmHandle, type AlarmOutcome } from "../../kit/alarms.ts";
import { DeliveryPasses } from "../delivery/passes.ts";
import { Shards, type ShardLimits } from "../delivery/shards.ts";
import {
  deleteLinkKeysHere,
  endExpired,
  endMatching,
  hasLinkKeysHere,
  listLinks,
  nextExpiryMs,
  writeLinkKey,
} from "./grant-rows.ts";
import type { FollowerSetHost } from "./host.ts";
import { forgetUnwanted, hasLinks, hasLinkTables, nextRetryMs } from "./link-rows.ts";
import { Links } from "./links.ts";
import { SourceState } from "./source-state.ts";

/** A turn that broke off, or whose object died, is repeated after this long, then after twice as long, and so on. */
const RETRY_MS_MIN = 2_000;
const RETRY_MS_MAX = 60_000;
/** As long as shards are with the queue, the alarm fires this often: an object that comes back serves them itself. */
const SHARDS_WATCH_MS = 2_000;
/** News that came before a restart is looked for so soon after it at the latest. */
const RESTORE_MS = 2_000;

export class FollowerSet {
  readonly #host: FollowerSetHost;
  readonly #source: SourceState;
  readonly #links: Links;
  readonly #shards: Shards;
  readonly #passes: DeliveryPasses;
  readonly #alarms: Alarms;
  readonly #delivery: AlarmHandle;
  #tablesAreThere = false;

  constructor(host: FollowerSetHost, limits: ShardLimits) {
    this.#host = host;
    host.database.tables.upgrade();
    this.#source = new SourceState(host.database);
    this.#links = new Links(host, this.#source, () => this.#wake());
    this.#shards = new Shards(host, this.#source, () => this.#wake(), limits);
    this.#passes = new DeliveryPasses(host, this.#source, this.#shards);
    this.#alarms = new Alarms(host);
    this.#delivery = this.#addPurposes();
  }

  /** Begins a link. Idempotent: the first time counts. */
  link(command: LinkCommand): Promise<Result<LinkResult>> {
    return this.#links.link(command);
  }

  /** Ends a link. What was published before still arrives, unless the session is gone. Idempotent. */
  unlink(command: UnlinkCommand): Promise<Result<object>> {
    return this.#links.unlink(command);
  }

  /** A page of those who follow the source. */
  followers({ after, limit }: ListFollowersCommand): FollowerPage {
    if (!this.#hasTables) return { followers: [], hasMore: false };
    const links = listLinks(this.#host.database, after, limit + 1);
    const followers = links
      .slice(0, limit)
      .map(({ session, format, startOffset, kid, user, expiresAtMs, sinceMs }) => ({
        session,
        format,
        offset: startOffset,
        sinceMs,
        kid,
        user,
        expiresAtMs,
      }));
    return { followers, hasMore: links.length > limit };
  }

  /** From now on these links deliver nothing more; their sessions are notified. Idempotent. */
  async endLinks(filter: FollowerFilter): Promise<{ ended: number }> {
    const { database } = this.#host;
    if (!hasLinkTables(database)) return { ended: 0 };
    const ended = database.transaction(() => {
      if ("kid" in filter) writeLinkKey(database, filter, true);
      return endMatching(database, this.#source.row, filter);
    });
    this.#wake();
    await this.#host.sync();
    return { ended };
  }

  /** The source says that it has grown or ended. */
  notify(notification: SourceNotification | null): number | null {
    if (!this.#hasTables) return null;
    // The source has ended: who waits for the queue must learn of it.
    if (notification === null) this.#shards.recall();
    if (!this.#isKnown(notification) && hasLinks(this.#host.database)) this.#wake();
    return this.#source.row.token;
  }

  /** The links to deliver a shard to; `null`: it is not wanted any more. */
  shard(ref: ShardRef): ShardResult | null {
    return this.#hasTables ? this.#shards.unwrap(ref) : null;
  }

  /** A shard has been served, but for some. */
  shardServed(ref: ShardRef, failures: readonly ShardFailure[]): void {
    if (this.#hasTables) this.#shards.served(ref, failures);
  }

  /** Does what is due. */
  alarm(): Promise<void> {
    return this.#alarms.fire();
  }

  #addPurposes(): AlarmHandle {
    const { database } = this.#host;
    const retry = { retryMs: RETRY_MS_MIN, retryMsMax: RETRY_MS_MAX };
    const delivery = this.#alarms.add({
      ...retry,
      name: "deliver to followers",
      restoreMs: RESTORE_MS,
      dueAtMs: () => (this.#hasTables ? this.#deliveryDueAtMs() : undefined),
      run: () => (this.#hasTables ? this.#deliver() : undefined),
    });
    this.#alarms.add({
      ...retry,
      name: "forget links that were taken back",
      dueAtMs: () => (this.#hasTables ? forgetUnwanted(database, 0) : undefined),
      run: () => void forgetUnwanted(database, this.#host.now()),
    });
    this.#alarms.add({
      ...retry,
      name: "retire",
      everyFiring: true,
      run: () => (this.#hasTables && this.#isUnfollowed ? this.#retire() : undefined),
    });
    return delivery;
  }

  #deliveryDueAtMs(): number | undefined {
    const { database } = this.#host;
    const times = [nextRetryMs(database), nextExpiryMs(database), this.#shards.dueAtMs];
    const known = times.filter((time) => time !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  /** One turn of deliveries. */
  async #deliver(): Promise<AlarmOutcome> {
    endExpired(this.#host.database, this.#source.row, this.#host.now());
    const hasMore = await this.#passes.turn();
    if (this.#shards.dueAtMs !== undefined) this.#delivery.request(this.#host.now() + SHARDS_WATCH_MS);
    // A turn is bounded. What it has left, or has put behind, is due at once.
    const isDue = (this.#deliveryDueAtMs() ?? Infinity) <= this.#host.now();
    return hasMore || isDue ? "more" : undefined;
  }

  /** Whether all links that keep up have this already. */
  #isKnown(notification: SourceNotification | null): boolean {
    const { incarnation, position, pass, closedAt } = this.#source.row;
    // When the shards have been served, it looks by itself.
    if (notification !== null && this.#shards.areOut) return true;
    if (notification === null || pass !== null || this.#delivery.isRunning) return false;
    return (
      notification.incarnation === incarnation &&
      notification.tail === position &&
      notification.closed === (closedAt !== null)
    );
  }

  /** To look for a table reads a row for each that there is. */
  get #hasTables(): boolean {
    return (this.#tablesAreThere ||= hasLinkTables(this.#host.database));
  }

  get #isUnfollowed(): boolean {
    return !hasLinks(this.#host.database) && this.#links.making === 0;
  }

  /** Nobody follows any more: the source need not notify, the project forgets the keys, and nothing is kept. */
  async #retire(): Promise<void> {
    const { database, name } = this.#host;
    const { token } = this.#source.row;
    if (token !== null) {
      database.transaction(() => {
        const overToken = hasLinkKeysHere(database) ? token : (this.#source.row.overToken ?? null);
        this.#source.write({ token: null, overToken });
        // A link that is made from now on notes its key anew.
        deleteLinkKeysHere(database);
      });
      await this.#host.sync();
      await this.#host.stream(name).unfollow(token);
    }
    await this.#forgetKeys();
    // A link may have been made meanwhile; or one that was taken back may still arrive, and has to be refused.
    if (!this.#isUnfollowed || this.#source.row.token !== null || forgetUnwanted(database, 0) !== undefined) return;
    this.#source.forget();
    await this.#alarms.purge(() => {
      const purged = this.#host.purge();
      this.#tablesAreThere = false;
      return purged;
    });
  }

  async #forgetKeys(): Promise<void> {
    const { overToken = null } = this.#source.row;
    if (overToken === null || this.#host.keys === undefined) return;
    await this.#host.keys.forgetLinkKeys(this.#host.name, overToken);
    if (this.#source.row.overToken === overToken) this.#source.write({ overToken: null });
  }

  #wake(): void {
    if (this.#hasTables) this.#delivery.request(this.#host.now());
  }
}
