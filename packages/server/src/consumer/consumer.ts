/**
 * One subscription of the protocol: its streams and cursors, its wake and its lease [PROTOCOL §6, §7]. Every step is one
 * transaction between two waits, which first ends a lease whose time is over, and at its end issues a wake if there is
 * something new and none. Whatever waits for a time is written down, and the alarm is set for it.
 */

import { parseOffset, refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import type {
  AckCommand,
  AckFacts,
  ClaimFacts,
  ConsumerApi,
  ConsumerView,
  CreateConsumerCommand,
  DeliveryReport,
  StreamChange,
  StreamNews,
  WakeCommand,
} from "../rpc/consumers.ts";
import {
  deleteOrphans,
  firstPending,
  linksByNeed,
  linksGrownLast,
  nextAskMs,
  readLink,
  updateAcked,
  viewOfLink,
  type ConsumerProgress,
  type WakeRow,
} from "../storage/consumer-rows.ts";
import type { ConsumerFacts } from "./facts.ts";
import type { ConsumerHost } from "./host.ts";
import { Links, LINKS_MAX } from "./links.ts";
import { Membership } from "./membership.ts";
import { ConsumerRecord } from "./record.ts";
import { refuseNoSubscription } from "./refusals.ts";
import { Sender, type Outcome } from "./sender.ts";
import { signWakeToken, verifyWakeToken } from "./tokens.ts";
import { backoffMs, beginAttempt, claimWake, isExpired, issueWake, lease, refuseFenced, withAttempt } from "./wakes.ts";

/** Streams that one wake speaks of; the others have their turn after it. */
const WAKE_STREAMS_MAX = 1_000;
/** Streams that a worker's claim asks whether there is anything, when none has told. */
const CLAIM_STREAMS_MAX = 32;
/** Streams that are asked in one turn of the alarm. */
const TURN_STREAMS = 256;
/** A turn that broke off is repeated after this long. */
const RETRY_MS = 5_000;

export class Consumer implements ConsumerApi {
  readonly #host: ConsumerHost;
  readonly #record: ConsumerRecord;
  readonly #links: Links;
  readonly #membership: Membership;
  readonly #sender: Sender;
  /** When the alarm is set to ring, in ms; `null`: it is not; `undefined`: not known since a restart. */
  #alarmAtMs: number | null | undefined;

  constructor(host: ConsumerHost) {
    this.#host = host;
    this.#record = new ConsumerRecord(host);
    this.#links = new Links(host);
    this.#membership = new Membership(host, this.#record, this.#links, {
      step: (work) => this.#step(work),
      isAwake: () => this.#isAwake(),
    });
    this.#sender = new Sender(host);
  }

  async create(command: CreateConsumerCommand): Promise<Result<{ created: boolean; subscription: ConsumerView }>> {
    const made = await this.#membership.create(command);
    if (!made.ok) return made;
    const described = await this.describe();
    return described.ok ? { ...described, created: made.created } : described;
  }

  async describe(): Promise<Result<{ subscription: ConsumerView }>> {
    const facts = this.#record.facts();
    if (facts === undefined) return refuseNoSubscription();
    const kid = facts.config.type === "webhook" ? (await this.#sender.signingKey()).kid : null;
    const { wake, hasFailed } = this.#record.progress();
    const { config, controlUrl, createdAtMs } = facts;
    const streams = linksByNeed(this.#host.database, LINKS_MAX).map(viewOfLink);
    const status = hasFailed && wake?.phase === "sending" ? "failed" : "active";
    const id = this.#host.name.slice(this.#host.name.indexOf("/") + 1);
    return { ok: true, subscription: { id, ...config, streams, createdAtMs, status, kid, controlUrl } };
  }

  async deliveries(): Promise<Result<DeliveryReport>> {
    const facts = this.#record.facts();
    if (facts === undefined) return refuseNoSubscription();
    const { attempts, wake } = this.#record.progress();
    const nextAttemptAtMs = wake?.phase === "sending" ? wake.nextAttemptAtMs : null;
    return { ok: true, attempts, nextAttemptAtMs, deadLetter: facts.config.deadLetter };
  }

  addStreams(streams: readonly string[]): Promise<Result<object>> {
    return this.#membership.addStreams(streams);
  }

  removeStream(stream: string): Promise<Result<object>> {
    return this.#membership.removeStream(stream);
  }

  remove(): Promise<void> {
    return this.#membership.remove();
  }

  async notify(news: StreamNews): Promise<boolean> {
    const isWanted = this.#step((facts) => facts !== undefined && this.#links.notify(news));
    await this.#host.sync();
    return isWanted;
  }

  async discover(change: StreamChange): Promise<void> {
    this.#step((facts) => {
      if (facts === undefined) return;
      const { pattern, wakeStream, deadLetter } = facts.config;
      // What the subscription writes itself must not wake it.
      const isOwn = change.stream === wakeStream || change.stream === deadLetter?.stream;
      const { createdAtMs } = facts;
      const hasRoom = this.#links.discover(change, isOwn ? null : pattern, createdAtMs, this.#isAwake());
      if (!hasRoom) this.#host.report("A subscription matches more streams than it may have.", change.stream);
    });
    await this.#host.sync();
  }

  async claim(worker: string): Promise<Result<ClaimFacts>> {
    const first = this.#step((facts) => this.#take(facts, worker));
    const claimed = first.ok || first.problem.code !== "subscription-idle" ? first : await this.#lookAndTake(worker);
    if (!claimed.ok) return claimed;
    const { facts, wake } = claimed;
    const streams = linksByNeed(this.#host.database, WAKE_STREAMS_MAX).map(viewOfLink);
    const token = await signWakeToken(this.#host.name, facts.secret, wake);
    await this.#host.sync();
    const { leaseTtlMs } = facts.config;
    return { ok: true, wakeId: wake.id, generation: wake.generation, token, streams, leaseTtlMs };
  }

  async ack(command: AckCommand): Promise<Result<AckFacts>> {
    const verified = await this.#verify(command);
    if (!verified.ok) return verified;
    await this.#hear(command);
    const acked = this.#step((facts) => {
      const { progress, refusal } = this.#fence(facts, verified, command);
      if (refusal !== undefined) return refusal;
      return this.#apply(verified.facts, progress, command);
    });
    const nextWake = command.done && this.#isAwake();
    await this.#host.sync();
    return acked.ok ? { ok: true, nextWake } : acked;
  }

  async release(command: WakeCommand): Promise<Result<object>> {
    const verified = await this.#verify(command);
    if (!verified.ok) return verified;
    const released = this.#step((facts): Result<object> => {
      const { progress, refusal } = this.#fence(facts, verified, command);
      if (refusal !== undefined) return refusal;
      this.#end(progress);
      return { ok: true };
    });
    await this.#host.sync();
    return released;
  }

  /** Does what is due. Set again before it works, should this object die meanwhile. */
  async alarm(): Promise<void> {
    this.#guard();
    try {
      await this.#membership.goOn();
      await this.#links.askDue(TURN_STREAMS, () => this.#isAwake());
      const due = this.#step((facts) => this.#beginDelivery(facts));
      if (due !== undefined) await this.#deliver(due.facts, due.wake);
    } catch (error) {
      this.#host.report("A turn of a subscription broke off; it is repeated.", error);
      return this.#guard();
    }
    this.#step(() => undefined);
  }

  #guard(): void {
    this.#alarmAtMs = this.#host.now() + RETRY_MS;
    this.#host.setAlarm(this.#alarmAtMs);
  }

  /** One step: a transaction that leaves everything as it must be. */
  #step<Answer>(work: (facts: ConsumerFacts | undefined) => Answer extends Promise<unknown> ? never : Answer): Answer {
    const answer = this.#host.database.transaction(() => {
      const facts = this.#record.facts();
      if (facts !== undefined) this.#expire();
      const result = work(facts);
      if (this.#record.facts() !== undefined) this.#advance();
      return result;
    });
    this.#arm();
    return answer;
  }

  #isAwake(): boolean {
    return this.#record.progress().wake !== null;
  }

  #expire(): void {
    const progress = this.#record.progress();
    if (progress.wake !== null && isExpired(progress.wake, this.#host.now())) this.#end(progress);
  }

  /** The wake is over. What was kept for its acknowledgements goes. */
  #end(progress: ConsumerProgress): void {
    deleteOrphans(this.#host.database);
    this.#record.writeProgress({ ...progress, wake: null, hasFailed: false });
  }

  #advance(): void {
    const progress = this.#record.progress();
    if (progress.wake !== null || firstPending(this.#host.database) === undefined) return;
    this.#record.writeProgress(issueWake(progress, `w_${this.#host.newId()}`, this.#host.now()));
  }

  /** Sets the alarm for whatever comes first. */
  #arm(): void {
    if (!this.#record.exists()) return;
    const now = this.#host.now();
    const dueAtMs = this.#membership.dueAtMs();
    const { wake } = this.#record.progress();
    const times = [dueAtMs, nextAskMs(this.#host.database)];
    if (wake?.phase === "sending") times.push(wake.nextAttemptAtMs);
    if (wake?.phase === "leased") times.push(wake.leaseUntilMs);
    const known = times.filter((time) => time !== undefined);
    const atMs = known.length === 0 ? null : Math.max(now, Math.min(...known));
    // To set an alarm is to write a row.
    if (atMs === this.#alarmAtMs) return;
    this.#alarmAtMs = atMs;
    if (atMs === null) this.#host.clearAlarm();
    else this.#host.setAlarm(atMs);
  }

  /** The wake that is to be delivered now, as it is written down for it. */
  #beginDelivery(facts: ConsumerFacts | undefined): { facts: ConsumerFacts; wake: WakeRow } | undefined {
    if (facts === undefined) return undefined;
    this.#advance();
    const progress = this.#record.progress();
    const { wake } = progress;
    const nowMs = this.#host.now();
    if (wake?.phase !== "sending" || wake.nextAttemptAtMs > nowMs) return undefined;
    // Its streams may have gone meanwhile.
    if (firstPending(this.#host.database) === undefined) {
      this.#end(progress);
      return undefined;
    }
    const { type, leaseTtlMs } = facts.config;
    const told = type === "webhook" ? linksByNeed(this.#host.database, WAKE_STREAMS_MAX) : [];
    const snapshot = told.filter(({ acked, tail }) => tail > acked).map(({ path, tail }) => [path, tail] as const);
    const begun = beginAttempt(wake, snapshot, leaseTtlMs, { nowMs, random: this.#host.random() });
    this.#record.writeProgress({ ...progress, wake: begun });
    return { facts, wake: begun };
  }

  async #deliver(facts: ConsumerFacts, wake: WakeRow): Promise<void> {
    const streams = linksByNeed(this.#host.database, WAKE_STREAMS_MAX).map(viewOfLink);
    const first = firstPending(this.#host.database) ?? "";
    await this.#host.sync();
    const isWebhook = facts.config.type === "webhook";
    const outcome = isWebhook
      ? await this.#sender.sendWebhook(facts, wake, streams)
      : await this.#sender.writeWake(facts, wake, first);
    const { deadLetter } = facts.config;
    const isHopeless = outcome.kind === "failed" && deadLetter !== null && wake.attempts >= deadLetter.maxAttempts;
    this.#step(() => this.#settle(facts, wake, outcome));
    if (!isHopeless || !this.#isSending(wake)) return;
    const buried = await this.#sender.writeDeadLetter(deadLetter.stream, wake, streams, outcome.error);
    if (buried.kind === "accepted") this.#step(() => this.#isSending(wake) && this.#finish(wake));
  }

  #isSending({ id }: WakeRow): boolean {
    const { wake } = this.#record.progress();
    return wake?.id === id && wake.phase === "sending";
  }

  /** What came of a delivery. A callback may have come first: then the wake has gone on, or is over. */
  #settle({ config }: ConsumerFacts, { id, generation }: WakeRow, { kind, status, error }: Outcome): void {
    const nowMs = this.#host.now();
    const attempt = { wakeId: id, generation, atMs: nowMs, status, error };
    const progress = withAttempt(this.#record.progress(), attempt);
    const { wake } = progress;
    if (wake?.id !== id) return this.#record.writeProgress(progress);
    if (kind === "done") {
      this.#record.writeProgress(progress);
      return this.#finish(wake);
    }
    if (wake.phase !== "sending") return this.#record.writeProgress(progress);
    if (kind === "failed") {
      const nextAttemptAtMs = nowMs + backoffMs(wake.attempts, this.#host.random());
      return this.#record.writeProgress({ ...progress, hasFailed: true, wake: { ...wake, nextAttemptAtMs } });
    }
    const next =
      config.type === "webhook" ? lease(wake, config.leaseTtlMs, nowMs) : { ...wake, phase: "sent" as const };
    this.#record.writeProgress({ ...progress, hasFailed: false, wake: next });
  }

  /** All that the wake told is dealt with. */
  #finish({ snapshot }: WakeRow): void {
    for (const [path, tail] of snapshot) {
      const row = readLink(this.#host.database, path);
      // Of a stream that has begun anew nothing has been told.
      if (row !== undefined && row.incarnation !== null && tail <= row.tail)
        updateAcked(this.#host.database, path, tail);
    }
    this.#end(this.#record.progress());
  }

  /** Takes the wake for a worker. */
  #take(facts: ConsumerFacts | undefined, worker: string): Result<{ facts: ConsumerFacts; wake: WakeRow }> {
    if (facts === undefined) return refuseNoSubscription();
    const { type, leaseTtlMs } = facts.config;
    if (type !== "pull-wake") return refuseWay();
    this.#advance();
    const progress = this.#record.progress();
    const { wake } = progress;
    if (wake?.phase === "leased") return refuseClaimed(wake);
    const isPending = firstPending(this.#host.database) !== undefined;
    if (wake !== null && !isPending) this.#end(progress);
    if (wake === null || !isPending) return refuse("subscription-idle", "No stream has anything new.");
    const claimed = claimWake(wake, worker, leaseTtlMs, this.#host.now());
    this.#record.writeProgress({ ...progress, hasFailed: false, wake: claimed });
    return { ok: true, facts, wake: claimed };
  }

  /** The word of a stream may still be on its way. */
  async #lookAndTake(worker: string): Promise<Result<{ facts: ConsumerFacts; wake: WakeRow }>> {
    await this.#links.askDue(CLAIM_STREAMS_MAX, () => this.#isAwake());
    await this.#links.refresh(linksGrownLast(this.#host.database, CLAIM_STREAMS_MAX), () => this.#isAwake());
    return this.#step((facts) => this.#take(facts, worker));
  }

  async #verify({ via, token }: WakeCommand) {
    const facts = this.#record.facts();
    if (facts === undefined) return refuseNoSubscription();
    if (via !== facts.config.type) return refuseWay();
    const verified = await verifyWakeToken(this.#host.name, facts.secret, token, this.#host.now());
    return verified.ok ? { ...verified, facts } : verified;
  }

  /** The worker may have read what its stream has not told yet. */
  async #hear({ acks }: AckCommand): Promise<void> {
    const unheard = acks.flatMap(({ stream, offset }) => {
      const row = readLink(this.#host.database, stream);
      return row !== undefined && row.incarnation !== null && offset > row.tail ? [row] : [];
    });
    await this.#links.refresh(unheard, () => this.#isAwake());
  }

  #fence(
    facts: ConsumerFacts | undefined,
    verified: { readonly facts: ConsumerFacts; readonly claims: Parameters<typeof refuseFenced>[1] },
    command: WakeCommand,
  ): { progress: ConsumerProgress; refusal: Refusal | undefined } {
    const progress = this.#record.progress();
    // It may have been deleted while the token was verified, and even made again.
    const refusal =
      facts?.secret === verified.facts.secret
        ? refuseFenced(progress, verified.claims, command)
        : refuseNoSubscription();
    return { progress, refusal };
  }

  /** All acknowledgements, or none. */
  #apply({ config }: ConsumerFacts, progress: ConsumerProgress, { acks, done }: AckCommand): Result<object> {
    const { database } = this.#host;
    for (const { stream, offset } of acks) {
      const row = readLink(database, stream);
      if (row === undefined) return refuseAck(`${stream} is no stream of this subscription.`);
      // The stream has gone: there is nothing to acknowledge, and no harm in it.
      if (row.incarnation === null) continue;
      if (parseOffset(offset)?.kind !== "at" && offset !== row.acked) return refuseAck(`${offset} is no offset.`);
      if (offset < row.acked) return refuseAck(`${stream} is acknowledged up to ${row.acked} already.`);
      if (offset > row.tail) return refuseAck(`${stream} ends at ${row.tail}.`);
    }
    for (const { stream, offset } of acks) {
      if (readLink(database, stream)?.incarnation !== null) updateAcked(database, stream, offset);
    }
    if (done) this.#end(progress);
    else if (progress.wake !== null) {
      const wake = lease(progress.wake, config.leaseTtlMs, this.#host.now());
      this.#record.writeProgress({ ...progress, hasFailed: false, wake });
    }
    return { ok: true };
  }
}

function refuseWay(): Refusal {
  return refuse("subscription-invalid", "A webhook has a callback; pull-wake has claim, ack and release.");
}

function refuseAck(detail: string): Refusal {
  return refuse("ack-invalid", detail, { hint: "Nothing of this request was acknowledged." });
}

function refuseClaimed({ holder, generation }: WakeRow): Refusal {
  const { problem } = refuse("subscription-claimed", "Another worker holds the lease.");
  return { ok: false, problem: { ...problem, lease: { holder: holder ?? "", generation } } };
}
