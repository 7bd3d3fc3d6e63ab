import type { Append, Claim, Command, Create, Mode, Observed } from "./commands.ts";

interface Producer {
  readonly epoch: number;
  readonly seq: number;
}

/** What one stream is, in the words of the specification. Its content is a list of records, its tail their number. */
interface Stream {
  readonly generation: number;
  readonly mode: Mode;
  readonly ttlSeconds: number | undefined;
  readonly records: string[];
  readonly producers: Map<string, Producer>;
  streamSeq: string;
  closed: boolean;
  closedBy: Claim | undefined;
  touchedAtMs: number;
}

/** The place that an offset stands for. */
export interface Place {
  readonly generation: number;
  readonly count: number;
}

/** What is expected; `place` says what the offset must mean. */
export type Expected = Omit<Observed, "offset"> & { readonly place?: Place };

/** The whole of the protocol's core for one URL, as simple as it can be said: the truth that servers are held to. */
export class ReferenceStream {
  nowMs: number;
  #stream: Stream | undefined;
  #generation = 0;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  /** The stream, unless there is none or it has expired. */
  get live(): Stream | undefined {
    const stream = this.#stream;
    const deadline = stream?.ttlSeconds === undefined ? Infinity : stream.touchedAtMs + stream.ttlSeconds * 1000;
    return this.nowMs < deadline ? stream : undefined;
  }

  /** @param place what the offset of a read means; `undefined` for the beginning. */
  apply(command: Command, place?: Place | "tail"): Expected {
    switch (command.kind) {
      case "create":
        return this.#create(command);
      case "append":
        return this.#append(command);
      case "read":
        return this.#read(place);
      case "head":
        return this.live === undefined ? NOT_FOUND : { outcome: "head", ...standing(this.live) };
      case "remove":
        return this.#remove();
      case "advance":
        this.nowMs += command.ms;
        return { outcome: "done" };
      case "restart":
        this.nowMs += RESTART_MS;
        return { outcome: "done" };
      case "alarm":
        return { outcome: "done" };
    }
  }

  #create({ mode, ttlSeconds, closed, records }: Create): Expected {
    const existing = this.live;
    if (existing !== undefined) {
      const isSame = existing.mode === mode && existing.ttlSeconds === ttlSeconds && existing.closed === closed;
      if (!isSame) return { outcome: "stream-exists" };
      existing.touchedAtMs = this.nowMs;
      return { outcome: "exists", ...standing(existing) };
    }
    this.#generation += 1;
    this.#stream = {
      generation: this.#generation,
      mode,
      ttlSeconds,
      closed,
      records: [...records],
      producers: new Map(),
      streamSeq: "",
      closedBy: undefined,
      touchedAtMs: this.nowMs,
    };
    return { outcome: "created", ...standing(this.#stream) };
  }

  #append(append: Append): Expected {
    const stream = this.live;
    if (stream === undefined) return NOT_FOUND;
    const answer = refusal(stream, append) ?? accept(stream, append);
    if (!ACCEPTED.has(answer.outcome)) return answer;
    stream.touchedAtMs = this.nowMs;
    // A close without data is answered the same way whether it is the first or a repetition.
    return append.records.length > 0 ? answer : { ...answer, outcome: "closed" };
  }

  #read(place: Place | "tail" | undefined): Expected {
    const stream = this.live;
    if (stream === undefined) return NOT_FOUND;
    if (place !== undefined && place !== "tail" && place.generation !== stream.generation) {
      return { outcome: "offset-gone" };
    }
    stream.touchedAtMs = this.nowMs;
    const from = place === "tail" ? stream.records.length : (place?.count ?? 0);
    const records = stream.records.slice(from);
    const text = stream.mode === "json" ? `[${records.join(",")}]` : records.join("");
    return { outcome: "read", text, ...standing(stream) };
  }

  #remove(): Expected {
    if (this.live === undefined) return NOT_FOUND;
    this.#stream = undefined;
    return { outcome: "removed" };
  }
}

/** How long a restart takes. */
export const RESTART_MS = 50;

const NOT_FOUND: Expected = { outcome: "stream-not-found" };
const ACCEPTED = new Set(["appended", "duplicate"]);

function standing({ generation, records, closed }: Stream): Pick<Expected, "closed" | "place"> {
  return { closed, place: { generation, count: records.length } };
}

/** [§5.2.1, §5.2 Error Precedence] Why an append does not go in: closed → content type → producer → Stream-Seq. */
function refusal(stream: Stream, append: Append): Expected | undefined {
  const { producer, streamSeq } = append;
  const hasData = append.records.length > 0;
  if (stream.closed) return whenClosed(stream, append, hasData);
  if (hasData && append.mode !== stream.mode) return { outcome: "content-type-mismatch" };
  if (producer !== undefined) {
    const known = stream.producers.get(producer.id);
    const next = known === undefined || producer.epoch > known.epoch ? 0 : known.seq + 1;
    if (known !== undefined && producer.epoch < known.epoch) {
      return { outcome: "producer-epoch-stale", expected: known.epoch };
    }
    if (known?.epoch === producer.epoch && producer.seq < next) {
      return { outcome: "duplicate", producer: known, ...standing(stream) };
    }
    if (producer.seq !== next) {
      const isNewEpoch = known !== undefined && producer.epoch > known.epoch;
      return isNewEpoch ? { outcome: "producer-epoch-start" } : { outcome: "producer-gap", expected: next };
    }
  }
  return streamSeq !== undefined && streamSeq <= stream.streamSeq ? { outcome: "stream-seq-regression" } : undefined;
}

function whenClosed(stream: Stream, { producer, close }: Append, hasData: boolean): Expected {
  const { closedBy } = stream;
  const isSameClaim =
    producer !== undefined &&
    producer.id === closedBy?.id &&
    producer.epoch === closedBy.epoch &&
    producer.seq === closedBy.seq;
  if (isSameClaim) return { outcome: "duplicate", producer: stateOf(producer), ...standing(stream) };
  const isCloseOnly = producer === undefined && close && !hasData;
  return isCloseOnly ? { outcome: "appended", ...standing(stream) } : { outcome: "stream-closed", ...standing(stream) };
}

function accept(stream: Stream, { records, close, producer, streamSeq }: Append): Expected {
  stream.records.push(...records);
  if (streamSeq !== undefined) stream.streamSeq = streamSeq;
  if (producer !== undefined) stream.producers.set(producer.id, stateOf(producer));
  if (close) {
    stream.closed = true;
    stream.closedBy = producer;
  }
  const state = producer === undefined ? {} : { producer: stateOf(producer) };
  return { outcome: "appended", ...state, ...standing(stream) };
}

function stateOf({ epoch, seq }: Claim): Producer {
  return { epoch, seq };
}
