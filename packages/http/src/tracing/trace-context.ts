/**
 * The headers of W3C Trace Context (https://www.w3.org/TR/trace-context/): `traceparent`, by which a request belongs to a trace,
 * and `tracestate`, in which tracing systems keep what is theirs.
 */

/** The position of a request in a trace. */
export interface TraceContext {
  /** 32 lower-case hexadecimal digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hexadecimal digits, not all zero. */
  readonly spanId: string;
  /** Whether the caller may have recorded its part of the trace. */
  readonly isSampled: boolean;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const INVALID_VERSION = "ff";
/** The only version whose length is known. A later one may have more fields, which are ignored. */
const VERSION = "00";
const SAMPLED = 1;
const ZEROS = /^0+$/;

/** Far longer than any version's: nothing beyond it is looked at. */
const TRACEPARENT_LENGTH_MAX = 512;

/** @returns the caller's position in its trace; `undefined` if the header is missing or invalid, so a new trace begins. */
export function parseTraceparent(header: string | null): TraceContext | undefined {
  if (header === null || header.length > TRACEPARENT_LENGTH_MAX) return undefined;
  const [, version, traceId = "", spanId = "", flags = "", more] = TRACEPARENT.exec(header.trim()) ?? [];
  if (version === undefined || version === INVALID_VERSION || (version === VERSION && more !== undefined)) {
    return undefined;
  }
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED };
}

/** The header with which a position is passed on. Flags that are unknown here are not. */
export function formatTraceparent({ traceId, spanId, isSampled }: TraceContext): string {
  return `${VERSION}-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}

/**
 * Begins a trace. It counts as sampled: a receiver that decides by its caller would otherwise not record what it does, although
 * nobody has decided against that.
 */
export function newTrace(): TraceContext {
  return { traceId: randomHex(16), spanId: randomHex(8), isSampled: true };
}

/** A position below another in the same trace. */
export function childOf({ traceId, isSampled }: TraceContext): TraceContext {
  return { traceId, spanId: randomHex(8), isSampled };
}

/** Never zero: that would mean that there is no id. */
function randomHex(bytes: number): string {
  const text = Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0"));
  const id = text.join("");
  return ZEROS.test(id) ? `${id.slice(1)}1` : id;
}

const MEMBERS_MAX = 32;
/** Characters that are passed on at most, as the specification asks for at least. */
const TRACESTATE_LENGTH_MAX = 512;
/** Nothing longer is parsed. */
const TRACESTATE_LENGTH_READ_MAX = 8 * 1024;
/** Members longer than this are the first to go when there are too many characters. */
const LONG_MEMBER = 128;

const KEY = "(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})";
const VALUE = "[\\x20-\\x2b\\x2d-\\x3c\\x3e-\\x7e]{0,255}[\\x21-\\x2b\\x2d-\\x3c\\x3e-\\x7e]";
const MEMBER = new RegExp(`^(${KEY})=${VALUE}$`);

/**
 * Checks and normalizes the header `tracestate`.
 * @returns what is passed on; `undefined` if there is nothing, or the header is invalid, which does not concern `traceparent`.
 */
export function parseTracestate(header: string | null): string | undefined {
  if (header === null || header.length > TRACESTATE_LENGTH_READ_MAX) return undefined;
  const members = header
    .split(",")
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ""))
    .filter((member) => member !== "");
  const keys = new Set(members.map((member) => MEMBER.exec(member)?.[1]));
  if (members.length === 0 || members.length > MEMBERS_MAX) return undefined;
  if (keys.has(undefined) || keys.size < members.length) return undefined;
  return shortened(members).join(",") || undefined;
}

/** The members that came last are the oldest. */
function shortened(members: readonly string[]): readonly string[] {
  const isShort = (kept: readonly string[]): boolean => kept.join(",").length <= TRACESTATE_LENGTH_MAX;
  if (isShort(members)) return members;
  const kept = members.filter(({ length }) => length <= LONG_MEMBER);
  while (!isShort(kept)) kept.pop();
  return kept;
}
