import { INTERRUPTION_MS, RESTART_MS, type Command, type Create, type ForkFrom } from "./commands.ts";
import {
  append,
  baseOf,
  lastSeq,
  mayTouch,
  status,
  textOf,
  touch,
  unitsOf,
  type Expected,
  type Place,
  type ReferenceStream,
} from "./reference-stream.ts";

/** What the server's tokens in a command mean; `undefined` for the beginning, or for an entity tag of nothing known. */
export interface Meaning {
  readonly place?: Place | "tail" | undefined;
  readonly tagged?: string | undefined;
}

interface StreamStatus {
  readonly kind: "none" | "live" | "retained";
  readonly stream?: ReferenceStream;
}

/** Restarts and steps take time besides that which a plan lets pass; so near to its end no stream is looked at. */
const MARGIN_MS = 10_000;

/** The whole of the protocol's core, as simple as it can be said: the truth that servers are held to. */
export class ReferenceServer {
  nowMs: number;
  #streams = new Map<string, ReferenceStream>();
  /** All that ever were, by generation: forks need them. */
  #ever = new Map<number, ReferenceStream>();
  #generation = 0;

  readonly #readsAtMessages: boolean;

  /** @param readsAtMessages as in `Driver`. */
  constructor(nowMs: number, readsAtMessages: boolean) {
    this.nowMs = nowMs;
    this.#readsAtMessages = readsAtMessages;
  }

  get names(): string[] {
    return [...this.#streams.keys()];
  }

  /** The stream, unless there is none, or it has expired or was deleted. */
  live(name: string): ReferenceStream | undefined {
    const { kind, stream } = this.#status(name);
    return kind === "live" ? stream : undefined;
  }

  /** Another server that goes on from here by itself. */
  clone(): ReferenceServer {
    const copy = new ReferenceServer(this.nowMs, this.#readsAtMessages);
    [copy.#streams, copy.#ever, copy.#generation] = structuredClone([this.#streams, this.#ever, this.#generation]);
    return copy;
  }

  apply(command: Command, meaning: Meaning = {}): Expected {
    const expected = this.#apply(command, meaning);
    this.#collect();
    return expected;
  }

  /** Nobody knows whether a command was carried out; where it was not, it may have renewed lifetimes all the same. */
  forgetUsesSince(other: ReferenceServer): void {
    for (const [name, stream] of this.#streams) {
      const before = other.#streams.get(name);
      if (before?.generation !== stream.generation) continue;
      stream.surelyTouchedAtMs = Math.min(stream.surelyTouchedAtMs, before.surelyTouchedAtMs);
      stream.touchedAtMs = Math.max(stream.touchedAtMs, before.touchedAtMs);
    }
  }

  /** Whether a stream may or may not have ended at an instant: after a restart it may exist for 10 % of its TTL longer. */
  isUncertain(atMs: number): boolean {
    return this.#uncertainUntil(atMs) !== undefined;
  }

  /** The first instant from one on at which every stream is certain. */
  certainFrom(atMs: number): number {
    let certainMs = atMs;
    for (let until = this.#uncertainUntil(atMs); until !== undefined; until = this.#uncertainUntil(certainMs)) {
      certainMs = until;
    }
    return certainMs;
  }

  /** Just before a stream with a sliding lifetime may end. */
  almostOver(stream: ReferenceStream): number {
    return stream.surelyTouchedAtMs + windowMs(stream) - MARGIN_MS - 1;
  }

  #uncertainUntil(atMs: number): number | undefined {
    const ends = [...this.#streams.values()]
      .filter((stream) => stream.ttlSeconds !== undefined && !stream.deleted)
      .filter((stream) => atMs > this.almostOver(stream))
      .map((stream) => stream.touchedAtMs + windowMs(stream) * 1.1 + MARGIN_MS);
    return ends.find((end) => atMs < end);
  }

  #apply(command: Command, { place, tagged }: Meaning): Expected {
    switch (command.kind) {
      case "create":
        return this.#create(command, place);
      case "advance":
        this.nowMs += command.ms;
        return { outcome: "done" };
      case "restart":
        this.nowMs += RESTART_MS;
        return { outcome: "done" };
      case "alarm":
        return { outcome: "done" };
      case "append":
      case "head":
      case "read":
      case "remove":
    }
    const { kind, stream } = this.#status(command.name);
    if (stream === undefined || kind !== "live") return kind === "retained" ? DELETED : NOT_FOUND;
    if (command.kind === "append") {
      return append(stream, command, this.nowMs, place === "tail" ? undefined : place);
    }
    if (command.kind === "read") return this.#read(stream, command.offset, place, tagged);
    if (command.kind === "head") return { outcome: "head", ...status(stream), ...lastSeq(stream) };
    stream.deleted = true;
    return { outcome: "removed" };
  }

  /** What an interruption takes, whether or not the command was carried out. */
  passInterruption(): void {
    this.nowMs += INTERRUPTION_MS;
    this.#collect();
  }

  #status(name: string): StreamStatus {
    const stream = this.#streams.get(name);
    if (stream === undefined) return { kind: "none" };
    if (!stream.deleted && this.nowMs < stream.touchedAtMs + windowMs(stream)) return { kind: "live", stream };
    return stream.forks.size > 0 ? { kind: "retained", stream } : { kind: "none" };
  }

  /** Streams that are over and that no fork reads from end, and so let go of their sources. */
  #collect(): void {
    for (const [name, stream] of this.#streams) {
      if (this.#status(name).kind !== "none") continue;
      this.#streams.delete(name);
      const source = stream.origin === undefined ? undefined : this.#streams.get(stream.origin.source);
      if (source?.forks.delete(stream.generation) === true) return this.#collect();
    }
  }

  #create(command: Create, place: Meaning["place"]): Expected {
    const { kind, stream: existing } = this.#status(command.name);
    if (kind === "retained") return { outcome: "path-retained" };
    if (existing !== undefined && kind === "live") {
      if (!isAsAsked(existing, command, place)) return { outcome: "stream-exists" };
      touch(existing, this.nowMs);
      return { outcome: "exists", ...status(existing) };
    }
    if (command.fork !== undefined) return this.#createFork(command, command.fork, place);
    const mode = command.mode ?? "bytes";
    return this.#begin(command, { mode, ttlSeconds: command.ttlSeconds, origin: undefined, inherited: [], units: [] });
  }

  /** [§4.2] */
  #createFork(command: Create, fork: ForkFrom, place: Meaning["place"]): Expected {
    const { kind, stream: source } = this.#status(fork.source);
    if (source === undefined || fork.source === command.name) return NOT_FOUND;
    if (kind !== "live") return { outcome: "fork-source-deleted" };
    if (command.mode !== undefined && command.mode !== source.mode) return { outcome: "content-type-mismatch" };
    const anchor = fork.offset === undefined ? source.units.length : this.#resolve(source, place);
    if (anchor === "beyond") return { outcome: "offset-beyond-tail" };
    if (typeof anchor !== "number") return { outcome: "offset-invalid" };
    const at = anchor + fork.subOffset;
    if (at > source.units.length) return { outcome: "fork-sub-offset-invalid" };
    touch(source, this.nowMs);
    const inherited = [...source.inherited, { generation: source.generation, to: Infinity }]
      .map((stretch) => ({ ...stretch, to: Math.min(stretch.to, at) }))
      .filter(({ to }, index, all) => to > (all[index - 1]?.to ?? -1));
    const created = this.#begin(command, {
      mode: source.mode,
      ttlSeconds: command.ttlSeconds ?? source.ttlSeconds,
      origin: {
        source: fork.source,
        place: placeName(fork, place, inherited[0]?.generation),
        subOffset: fork.subOffset,
      },
      inherited,
      units: source.units.slice(0, at),
    });
    source.forks.add(this.#generation);
    return created;
  }

  #begin(
    { name, closed, records, ttlSeconds: askedTtlSeconds }: Create,
    result: Pick<ReferenceStream, "mode" | "ttlSeconds" | "origin" | "inherited" | "units">,
  ): Expected {
    this.#generation += 1;
    const units = [...result.units, ...unitsOf(result.mode, records)];
    const stream: ReferenceStream = {
      ...result,
      generation: this.#generation,
      inheritsTtl: result.origin !== undefined && askedTtlSeconds === undefined,
      units,
      ends: new Set([units.length]),
      producers: new Map(),
      forks: new Set(),
      streamSeq: "",
      closed,
      closedBy: undefined,
      deleted: false,
      touchedAtMs: this.nowMs,
      surelyTouchedAtMs: this.nowMs,
    };
    this.#streams.set(name, stream);
    this.#ever.set(stream.generation, stream);
    return { outcome: "created", ...status(stream) };
  }

  #read(stream: ReferenceStream, offset: string, place: Meaning["place"], tagged: string | undefined): Expected {
    const from = this.#resolve(stream, place, this.#readsAtMessages);
    if (from === "gone") return { outcome: "offset-gone" };
    if (from === "inside") mayTouch(stream, this.nowMs);
    if (from === "foreign" || from === "inside") return { outcome: "offset-invalid" };
    if (from === "beyond") return { outcome: "offset-beyond-tail" };
    touch(stream, this.nowMs);
    const { mode, units, closed, generation } = stream;
    // What an entity tag stands for: a range of one incarnation of a stream, and whether the end is the end for ever.
    const found = `${generation}: ${from} to ${units.length}${closed ? " closed" : ""}`;
    const isKnown = offset !== "now" && tagged === found;
    const answer = isKnown ? { outcome: "not-modified" } : { outcome: "read", text: textOf(mode, units.slice(from)) };
    return { ...answer, ...status(stream), ...(offset === "now" ? {} : { tagged: found }) };
  }

  /**
   * Where a place is in a stream: it must be one of its own, or one that it inherited. It stands for the last end of an
   * append at or before it, and may be one beyond the end of what the stream has. `inside`: inside the very first append, where
   * it stands for nothing.
   * @param atMessages a place of JSON stands for itself: each unit is a message, so a message ends there.
   */
  #resolve(
    stream: ReferenceStream,
    place: Meaning["place"],
    atMessages = false,
  ): number | "gone" | "foreign" | "inside" | "beyond" {
    if (place === undefined) return 0;
    if (place === "tail") return stream.units.length;
    const { generation } = place;
    // A message of JSON is at least two bytes, so one byte past an offset is before the next message's end.
    const slack = stream.mode === "bytes" ? 1 : 0;
    const count = place.count + (place.past === true ? slack : 0);
    const isItself = atMessages && stream.mode === "json" && place.past !== true;
    const isInsideFirst = (length: number): boolean =>
      place.past === true && place.count === 0 && slack === 0 && length > 0;
    if (generation === stream.generation) {
      if (isInsideFirst(stream.units.length)) return "inside";
      if (count > stream.units.length + slack) return "beyond";
      if (count < baseOf(stream)) return "foreign";
      return isItself ? count : (lastEnd(stream, Math.min(count, stream.units.length)) ?? "inside");
    }
    const index = stream.inherited.findIndex((stretch) => stretch.generation === generation);
    if (index < 0) return "gone";
    const begin = stream.inherited[index - 1]?.to ?? 0;
    const end = stream.inherited[index]?.to ?? 0;
    if (count < begin || count > end + slack) return "foreign";
    if (isInsideFirst(end)) return "inside";
    const at = Math.min(count, end);
    if (isItself) return at;
    const owner = this.#ever.get(stream.inherited.find(({ to }) => at < to)?.generation ?? -1);
    return owner === undefined ? at : (lastEnd(owner, at) ?? "inside");
  }
}

const NOT_FOUND: Expected = { outcome: "stream-not-found" };
const DELETED: Expected = { outcome: "stream-deleted" };

function windowMs({ ttlSeconds }: ReferenceStream): number {
  return ttlSeconds === undefined ? Infinity : ttlSeconds * 1000;
}

/** Where a stream's own content begins, or the last of its appends ended; `undefined` inside the very first append. */
function lastEnd(stream: ReferenceStream, count: number): number | undefined {
  const ends = [baseOf(stream), stream.units.length, ...stream.ends];
  const last = Math.max(...ends.filter((end) => end <= count));
  return last === 0 && count > 0 ? undefined : last;
}

/** The beginning has several names. */
function placeName({ offset }: ForkFrom, place: Meaning["place"], oldest: number | undefined): string {
  if (offset === undefined) return "the tail";
  if (place === undefined || place === "tail") return "the beginning";
  return place.count === 0 && place.past !== true && place.generation === oldest ? "the beginning" : offset;
}

function isAsAsked(existing: ReferenceStream, command: Create, place: Meaning["place"]): boolean {
  const { origin } = existing;
  const { fork, ttlSeconds } = command;
  const isSameMode = command.mode === existing.mode || (command.mode === undefined && fork !== undefined);
  const isSameOrigin =
    origin === undefined || fork === undefined
      ? origin === fork
      : origin.source === fork.source &&
        origin.subOffset === fork.subOffset &&
        origin.place === placeName(fork, place, existing.inherited[0]?.generation);
  const isSameTtl = ttlSeconds === existing.ttlSeconds || (existing.inheritsTtl && ttlSeconds === undefined);
  return isSameMode && isSameOrigin && isSameTtl && command.closed === existing.closed;
}
