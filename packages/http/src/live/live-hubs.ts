/** The hubs of one isolate, by stream (docs/adr/0034-live-hubs.md). */

import { liveReadersMax } from "@durable-streams-cloudflare/core/contracts/project-record";
import type { AttachResult } from "@durable-streams-cloudflare/core/contracts/stream";
import { refuseReader } from "@durable-streams-cloudflare/core/stream/read/refuse-reader";
import { keepsAll, type OffsetRef, type Result } from "@durable-streams-cloudflare/protocol";

import type { ReaderChannel } from "../ports.ts";
import { HUB_CLOCK, HubMember, type HubClock, type HubRequest } from "./hub-member.ts";
import type { LiveReads } from "./live-reads.ts";
import { FrameBudget } from "./recent-frames.ts";
import { StreamHub, type MemberKind } from "./stream-hub.ts";

/** How long the channel is kept for the next long-poll: clients ask again at once. */
const LINGER_MS = 5_000;
/** As a waiting reader does, a channel keeps a sliding lifetime from ending: for no more than 10 % of it. */
const LINGER_PART_OF_TTL = 0.1;
const CLEARING_MS = 15_000;

/** A reader in a hub, and its position. */
export interface Place {
  readonly member: HubMember;
  readonly position: number;
}

/** A reader that has joined, or the refusal of one reader too many. */
export type Joined = Result<Place>;

export interface LiveHubsPorts<Incoming> {
  /** The setting `SHARED_LIVE`; if `false`, each reader has a hub of its own. */
  readonly isSharing: boolean;
  /** The setting `READERS_MAX`. */
  readonly readersMax: number;
  readonly liveReads: LiveReads;
  /** Reads what a hub misses up to a position, on behalf of a request. */
  readonly fillGap: (request: Incoming, hub: StreamHub, upTo: number) => Promise<void>;
  /** The clock of a request, which stops when the request's context ends. */
  readonly clockOf?: (request: Incoming) => HubClock;
}

export class LiveHubs<Incoming extends HubRequest> {
  readonly #ports: LiveHubsPorts<Incoming>;
  readonly #budget = new FrameBudget();
  readonly #hubs = new Map<string, StreamHub>();
  #isEnding = false;
  #clearedAtMs = 0;

  constructor(ports: LiveHubsPorts<Incoming>) {
    this.#ports = ports;
    ports.liveReads.alsoEnd(() => this.#stopLingering());
  }

  /** The number of streams with readers that share a channel. */
  get count(): number {
    return this.#hubs.size;
  }

  /**
   * Joins a reader that comes with an offset, if the hub is there. Only for `now` the object is asked where that is.
   * @param at `tail`: of places before the tail, the hub knows nothing that this reader can use.
   * @returns `undefined` if the reader has to be attached.
   */
  async join(
    request: Incoming,
    offset: OffsetRef,
    kind: MemberKind,
    at: "tail" | "recent" = "tail",
  ): Promise<Joined | undefined> {
    return offset.kind === "now" ? this.#joinNow(request, kind) : this.#joinAt(request, offset, kind, at);
  }

  #joinAt(request: Incoming, offset: OffsetRef, kind: MemberKind, at: "tail" | "recent"): Joined | undefined {
    const hub = this.#hubOf(request);
    if (hub === undefined || offset.kind !== "at" || offset.incarnation !== hub.incarnation) return undefined;
    const { position } = offset;
    // What retention has let go of must not be read from here, and only the object knows what that is.
    const mayBeBehind = at === "recent" && keepsAll(hub.about.retention);
    const isThere = mayBeBehind ? hub.isPlace(position) : position === hub.tail;
    if (!isThere || !hub.isFresh(this.#now(request))) return undefined;
    return this.#join(request, hub, position, kind);
  }

  /** Asks the object where the stream ends, but makes no channel. */
  async #joinNow(request: Incoming, kind: MemberKind): Promise<Joined | undefined> {
    if (this.#hubOf(request)?.isFed(this.#now(request)) !== true) return undefined;
    const head = await request.stream.call((stub) => stub.head());
    if (!head.ok || head.closed) return undefined;
    return this.joinRead(request, head.lineage.incarnation, head.tail, kind);
  }

  /** Joins a reader that has read up to a position. @returns `undefined` if the reader has to be attached. */
  joinRead(request: Incoming, incarnation: number, position: number, kind: MemberKind): Joined | undefined {
    const hub = this.#hubOf(request);
    if (hub?.incarnation !== incarnation || !hub.holds(position) || !hub.isFed(this.#now(request))) return undefined;
    return this.#join(request, hub, position, kind);
  }

  /** Enters a reader to which the object has given a channel. The channel is closed if the hub has one. */
  enter(request: Incoming, result: AttachResult, channel: ReaderChannel, kind: MemberKind): Joined {
    const { position } = result;
    const known = this.#hubOf(request);
    const isKnown = known?.incarnation === result.lineage.incarnation && known.end === undefined;
    const hub = isKnown ? known : this.#newHub(request, result);
    const joined = this.#join(request, hub, position, kind);
    if (!joined.ok || !hub.lacksOwner(this.#now(request), kind)) channel.close();
    else joined.member.own({ result, channel });
    return joined;
  }

  /** An append through this isolate was acknowledged: whoever joins now must not see less. */
  acknowledge(objectName: string, incarnation: number, tail: number, closed: boolean): void {
    const hub = this.#hubs.get(objectName);
    if (hub?.incarnation === incarnation) hub.acknowledge(tail, closed);
  }

  /** A deletion through this isolate was acknowledged. */
  doubt(objectName: string): void {
    this.#hubs.get(objectName)?.doubt();
  }

  /** Keeps no channel for readers to come: the server is about to stop. */
  #stopLingering(): void {
    this.#isEnding = true;
    for (const hub of this.#hubs.values()) hub.stopLingering();
  }

  #join(request: Incoming, hub: StreamHub, position: number, kind: MemberKind): Joined {
    if (hub.members >= this.#ports.readersMax) return refuseReader();
    if (kind === "poll" && !this.#isEnding && this.#isShared(request)) hub.lingerMs = lingerMsOf(hub);
    return { ok: true, member: this.#memberOf(request, hub, kind), position };
  }

  #memberOf(request: Incoming, hub: StreamHub, kind: MemberKind): HubMember {
    const { fillGap, clockOf } = this.#ports;
    const clock = clockOf?.(request) ?? HUB_CLOCK;
    return new HubMember(hub, kind, { request, clock, fillGap: (upTo) => fillGap(request, hub, upTo) });
  }

  #now(request: Incoming): number {
    return (this.#ports.clockOf?.(request) ?? HUB_CLOCK).now();
  }

  #newHub(request: Incoming, result: AttachResult): StreamHub {
    const { objectName } = request.stream;
    this.#clear(this.#now(request));
    const hub: StreamHub = new StreamHub(result, result.position, this.#budget, () => {
      if (this.#hubs.get(objectName) === hub) this.#hubs.delete(objectName);
    });
    if (this.#isShared(request)) this.#hubs.set(objectName, hub);
    return hub;
  }

  /** Hubs of which all readers are dead have nobody who looks. */
  #clear(nowMs: number): void {
    if (nowMs - this.#clearedAtMs < CLEARING_MS) return;
    this.#clearedAtMs = nowMs;
    for (const hub of this.#hubs.values()) hub.clear(nowMs);
  }

  /** The hub that a reader may join. */
  #hubOf(request: Incoming): StreamHub | undefined {
    const { objectName, incarnation } = request.stream;
    const hub = this.#isShared(request) ? this.#hubs.get(objectName) : undefined;
    return incarnation === undefined || hub?.incarnation === incarnation ? hub : undefined;
  }

  /** Where a project limits its live readers, the object counts them: each has a channel of its own. */
  #isShared({ granted }: Incoming): boolean {
    return this.#ports.isSharing && liveReadersMax(granted.limits, granted.budget ?? "tokens") === null;
  }
}

function lingerMsOf({ about: { lifetime } }: StreamHub): number {
  return lifetime.kind === "ttl" ? Math.min(LINGER_MS, lifetime.ttlSeconds * 1000 * LINGER_PART_OF_TTL) : LINGER_MS;
}
