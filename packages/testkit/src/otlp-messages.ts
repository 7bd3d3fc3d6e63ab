/** Decodes the messages of OTLP that the server sends, by the field numbers of opentelemetry-proto. */

export type AttributeValue = string | number | boolean;
export type CollectedAttributes = Readonly<Record<string, AttributeValue>>;

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** `""`: it begins the trace. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: "internal" | "server" | "client" | "other";
  readonly durationNs: number;
  readonly attributes: CollectedAttributes;
  readonly isError: boolean;
  /** Of its error, if somebody gave one. */
  readonly statusMessage: string;
  /** The trace ids that it is linked to. */
  readonly links: readonly string[];
  readonly resource: CollectedAttributes;
}

export interface CollectedMetric {
  readonly name: string;
  readonly unit: string;
  readonly type: "gauge" | "sum" | "histogram";
  readonly isMonotonic: boolean;
  readonly isCumulative: boolean;
  readonly points: readonly CollectedPoint[];
}

export interface CollectedPoint {
  readonly attributes: CollectedAttributes;
  /** Of a histogram: the number of values. */
  readonly value: number;
  /** Of a histogram. */
  readonly sum: number;
  readonly bucketCounts: readonly number[];
  readonly bounds: readonly number[];
}

type Value = number | Buffer;

/** A message, by field numbers. A field that occurs more than once has all of its values. */
class Message {
  readonly #fields = new Map<number, Value[]>();

  constructor(bytes: Buffer) {
    const reader = new Reader(bytes);
    while (!reader.isAtEnd) {
      const key = reader.varint();
      const field = key >>> 3;
      const values = this.#fields.get(field) ?? [];
      values.push(reader.value(key & 7));
      this.#fields.set(field, values);
    }
  }

  bytes(field: number): Buffer {
    const value = this.#fields.get(field)?.at(-1) ?? Buffer.alloc(0);
    if (typeof value === "number") throw new Error(`Field ${field} is a number.`);
    return value;
  }

  text(field: number): string {
    return this.bytes(field).toString();
  }

  hex(field: number): string {
    return this.bytes(field).toString("hex");
  }

  /** `undefined`: the field is not there. */
  number(field: number): number | undefined {
    const value = this.#fields.get(field)?.at(-1);
    if (value === undefined) return undefined;
    return typeof value === "number"
      ? value
      : value.length === 8
        ? Number(value.readBigUInt64LE())
        : value.readUInt32LE();
  }

  double(field: number): number | undefined {
    const value = this.#fields.get(field)?.at(-1);
    return value === undefined || typeof value === "number" ? undefined : value.readDoubleLE();
  }

  has(field: number): boolean {
    return this.#fields.has(field);
  }

  message(field: number): Message {
    return new Message(this.bytes(field));
  }

  messages(field: number): Message[] {
    return (this.#fields.get(field) ?? []).map((value) => new Message(value as Buffer));
  }

  /** Values of eight bytes that lie behind each other. */
  packed(field: number, read: (bytes: Buffer, at: number) => number): number[] {
    const bytes = this.bytes(field);
    return Array.from({ length: bytes.length / 8 }, (_, index) => read(bytes, index * 8));
  }
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  varint(): number {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = this.#bytes.readUInt8(this.#at++);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
  }

  value(wireType: number): Value {
    switch (wireType) {
      case 0:
        return this.varint();
      case 1:
        return this.#take(8);
      case 2:
        return this.#take(this.varint());
      case 5:
        return this.#take(4);
      default:
        throw new Error(`There is no wire type ${wireType}.`);
    }
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new Error("The message ends early.");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

const KINDS = ["other", "internal", "server", "client"] as const;
const STATUS_ERROR = 2;
const CUMULATIVE = 2;

export function decodeSpans(body: Buffer): readonly CollectedSpan[] {
  return new Message(body).messages(1).flatMap((ofResource) => {
    const resource = attributesOf(ofResource.message(1), 1);
    const spans = ofResource.messages(2).flatMap((ofScope) => ofScope.messages(2));
    return spans.map((span) => ({
      traceId: span.hex(1),
      spanId: span.hex(2),
      traceState: span.text(3),
      parentSpanId: span.hex(4),
      name: span.text(5),
      kind: KINDS[span.number(6) ?? 0] ?? "other",
      durationNs: (span.number(8) ?? 0) - (span.number(7) ?? 0),
      attributes: attributesOf(span, 9),
      links: span.messages(13).map((link) => link.hex(1)),
      isError: span.message(15).number(3) === STATUS_ERROR,
      statusMessage: span.message(15).text(2),
      resource,
    }));
  });
}

export function decodeMetrics(body: Buffer): readonly CollectedMetric[] {
  const ofScopes = new Message(body).messages(1).flatMap((ofResource) => ofResource.messages(2));
  return ofScopes.flatMap((ofScope) => ofScope.messages(2)).map(decodeMetric);
}

const DATA = { gauge: 5, sum: 7, histogram: 9 } as const;

function decodeMetric(metric: Message): CollectedMetric {
  const type = (["gauge", "sum", "histogram"] as const).find((each) => metric.has(DATA[each]));
  if (type === undefined) throw new Error(`The metric ${metric.text(1)} has a type that is unknown here.`);
  const data = metric.message(DATA[type]);
  return {
    name: metric.text(1),
    unit: metric.text(3),
    type,
    isMonotonic: data.number(3) === 1,
    isCumulative: data.number(2) === CUMULATIVE,
    points: data.messages(1).map(type === "histogram" ? decodeHistogramPoint : decodeNumberPoint),
  };
}

function decodeNumberPoint(point: Message): CollectedPoint {
  const value = point.double(4) ?? point.number(6) ?? Number.NaN;
  return { attributes: attributesOf(point, 7), value, sum: 0, bucketCounts: [], bounds: [] };
}

function decodeHistogramPoint(point: Message): CollectedPoint {
  return {
    attributes: attributesOf(point, 9),
    value: point.number(4) ?? Number.NaN,
    sum: point.double(5) ?? 0,
    bucketCounts: point.packed(6, (bytes, at) => Number(bytes.readBigUInt64LE(at))),
    bounds: point.packed(7, (bytes, at) => bytes.readDoubleLE(at)),
  };
}

function attributesOf(message: Message, field: number): CollectedAttributes {
  return Object.fromEntries(message.messages(field).map((pair) => [pair.text(1), valueOf(pair.message(2))]));
}

function valueOf(value: Message): AttributeValue {
  if (value.has(1)) return value.text(1);
  if (value.has(2)) return value.number(2) === 1;
  return value.double(4) ?? value.number(3) ?? "";
}
