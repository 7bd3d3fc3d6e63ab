/**
 * Moves the older part of a stream from the object to R2: freezes the newest table of the log, uploads it as one or more
 * segments, and drops it in the transaction that adds the segments to the index. Only the alarm does this; appends continue
 * meanwhile, in the next table. Each step is idempotent: a frozen table always gives the same objects, which are never written
 * twice. Until the segments are in the index, reads use the table.
 */

import { assertEqual } from "../../kit/assert.ts";
import { concatBytes } from "../../kit/bytes.ts";
import { withTimeout } from "../../kit/with-timeout.ts";
import type { FrozenTable } from "../../log/hot-log.ts";
import { SegmentError, segmentSize } from "../../log/segment-format.ts";
import { insertSegment, segmentKey } from "../../log/segment-rows.ts";
import type { SegmentStore } from "../../log/segment-store.ts";
import { encodeSegment, planSegments, withBreaks, type SegmentPlan } from "../../log/segment-writer.ts";
import { leavingRequests, storeRequests } from "../append/request-rows.ts";
import type { StreamHost } from "../host.ts";
import { sealLog, type StreamState } from "../state.ts";

export interface RollLimits {
  /** A table of the log that has grown to this is sealed. */
  readonly segmentBytes: number;
  /** One that is sealed because of its age, or because the stream was closed, must have grown to this. */
  readonly segmentBytesMin: number;
  /** 0: never because of its age. */
  readonly segmentAgeSeconds: number;
}

/** Segments written in one go; the alarm comes back for more. */
const ROLLS_PER_ALARM = 16;
/** An upload that takes longer is given up. An upload of an object that crashed may arrive this much later. */
export const PUT_MS_MAX = 120_000;
/** A table that holds too many requests that may still be sent again waits for so long. */
const REQUESTS_MS = 5_000;
/** How long the store is left alone after a failure. */
const RETRY_MS = 30_000;

/** What a table waits for: nothing yet, its age, or the alarm. */
type Stage = "growing" | "ageing" | "due";

export class Roller {
  readonly #host: StreamHost;
  readonly #limits: RollLimits;
  /** What the alarm knows of: a table, by its beginning, and its stage. */
  #told = "";
  #retryAtMs = 0;

  constructor(host: StreamHost, limits: RollLimits) {
    this.#host = host;
    this.#limits = limits;
  }

  /** Whether the last commit brought the newest table to its next stage: once or twice for each table. */
  hasWork(state: StreamState): boolean {
    const stage = this.#stageOf(state);
    const told = `${state.log.newestFirst} ${stage}`;
    if (stage === "growing" || told === this.#told) return false;
    this.#told = told;
    return true;
  }

  /** When there will be something to do, in ms; `undefined` as long as nobody appends. */
  dueAtMs(state: StreamState): number | undefined {
    if (this.#host.segments === undefined) return undefined;
    const dueAtMs = state.log.frozen.length > 0 ? 0 : this.#sealDueAtMs(state);
    return dueAtMs === Infinity ? undefined : Math.max(dueAtMs, this.#retryAtMs);
  }

  /**
   * @param isCurrent whether the stream is still what it was; it may end during any wait.
   * @throws whatever the store fails with; the rest is done when the alarm fires again.
   */
  async roll(state: StreamState, isCurrent: () => boolean): Promise<void> {
    const { segments, database } = this.#host;
    const nextTurn = (): Promise<void> => this.#host.nextTurn();
    const dueAtMs = this.dueAtMs(state);
    if (segments === undefined || dueAtMs === undefined || dueAtMs > this.#host.now()) return;
    this.#retryAtMs = this.#host.now() + RETRY_MS;
    if (this.#sealDueAtMs(state) <= this.#host.now()) sealLog(state, database);
    for (const table of state.log.frozen.slice(0, ROLLS_PER_ALARM)) {
      await nextTurn();
      if (!isCurrent()) return;
      const requests = leavingRequests(state, table.last, this.#host.now());
      if (requests === "too many") {
        this.#retryAtMs = this.#host.now() + REQUESTS_MS;
        return;
      }
      const { incarnation } = state.lineage;
      const plans = await planSegments(
        state.log,
        table,
        { incarnation, bytesMax: this.#limits.segmentBytes },
        nextTurn,
      );
      for (const plan of plans) {
        if (!isCurrent()) return;
        await this.#upload(segments, state, table, plan);
        await nextTurn();
      }
      if (!isCurrent()) return;
      assertCovers(plans, { first: Math.max(table.first, state.base), last: table.last });
      state.log.dropOldest(() => {
        for (const { range, blocks, committedAtMs } of plans)
          insertSegment(database, { ...range, committedAtMs }, blocks);
        storeRequests(state, database, requests);
      });
    }
    this.#retryAtMs = 0;
    await nextTurn();
  }

  #sealDueAtMs(state: StreamState): number {
    const stage = this.#stageOf(state);
    if (stage !== "ageing") return stage === "due" ? 0 : Infinity;
    const [oldest] = state.log.tableNotes(state.log.newestFirst, 0, 1);
    return (oldest?.committedAtMs ?? Infinity) + this.#limits.segmentAgeSeconds * 1000;
  }

  #stageOf({ log, base, tail, closure }: StreamState): Stage {
    const { segmentBytes: bytesMax, segmentBytesMin, segmentAgeSeconds } = this.#limits;
    const bytes = tail - Math.max(log.newestFirst, base);
    if (this.#host.segments === undefined || bytes === 0) return "growing";
    if (bytes >= bytesMax || (closure !== undefined && bytes >= segmentBytesMin)) return "due";
    return segmentAgeSeconds > 0 && bytes >= segmentBytesMin ? "ageing" : "growing";
  }

  async #upload(segments: SegmentStore, state: StreamState, table: FrozenTable, plan: SegmentPlan): Promise<void> {
    const key = segmentKey(this.#host.name, plan.range);
    const size = segmentSize(plan.blocks);
    const bytesWaiting = (): number => state.tail - table.last;
    const chunks = withBreaks(encodeSegment(state.log, table, plan), bytesWaiting, () => this.#host.nextTurn());
    const givenUp = new AbortController();
    try {
      const isNew = await withTimeout(PUT_MS_MAX, segments.put(key, size, chunks, givenUp.signal));
      if (!isNew) await withTimeout(PUT_MS_MAX, verify(segments, state, table, plan, key));
    } catch (error) {
      givenUp.abort(error);
      throw error;
    }
  }
}

/** A table that is dropped is in segments from its first byte to its last. */
function assertCovers(plans: readonly SegmentPlan[], { first, last }: FrozenTable): void {
  let next = first;
  for (const { range } of plans) {
    assertEqual("the beginning of a new segment", range.first, next);
    next = range.last;
  }
  assertEqual("the end of the last segment of a table", next, last);
}

/**
 * An earlier try has written the object, although it did not learn of that. The end of a segment has the checksums of all
 * of it, so it is the same object if that is the same.
 */
async function verify(
  segments: SegmentStore,
  { log }: StreamState,
  table: FrozenTable,
  plan: SegmentPlan,
  key: string,
): Promise<void> {
  let expected = new Uint8Array();
  for await (const chunk of encodeSegment(log, table, plan)) expected = chunk;
  const size = segmentSize(plan.blocks);
  const stream = await segments.get(key, size - expected.length, expected.length);
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk);
  const found = concatBytes(chunks);
  const isSame = found.length === expected.length && found.every((byte, index) => byte === expected[index]);
  if (!isSame) throw new SegmentError(`The object ${key} is not the expected segment.`);
}
