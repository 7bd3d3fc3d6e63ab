import { describe, expect, it } from "vitest";

import { childOf, formatTraceparent, newTrace, parseTraceparent, parseTracestate } from "./trace-context.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

describe("traceparent", () => {
  it.each([
    ["a sampled one", `00-${TRACE}-${SPAN}-01`, true],
    ["one that is not sampled", `00-${TRACE}-${SPAN}-00`, false],
    ["flags that are unknown", `00-${TRACE}-${SPAN}-ff`, true],
    ["flags that are unknown, without that for sampled", `00-${TRACE}-${SPAN}-fe`, false],
    ["white space around it", `  00-${TRACE}-${SPAN}-01\t`, true],
    ["a later version", `01-${TRACE}-${SPAN}-01`, true],
    ["a later version with more fields", `cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, true],
    ["a later version with an empty field", `cc-${TRACE}-${SPAN}-01-`, true],
  ])("is taken over: %s", (_, header, isSampled) => {
    expect(parseTraceparent(header)).toEqual({ traceId: TRACE, spanId: SPAN, isSampled });
  });

  it.each([
    ["none", null],
    ["an empty one", ""],
    ["version ff", `ff-${TRACE}-${SPAN}-01`],
    ["a version that is not hexadecimal", `0x-${TRACE}-${SPAN}-01`],
    ["a version of one digit", `0-${TRACE}-${SPAN}-01`],
    ["a version in upper case", `CC-${TRACE}-${SPAN}-01`],
    ["version 00 with more fields", `00-${TRACE}-${SPAN}-01-more`],
    ["version 00 with a dash at its end", `00-${TRACE}-${SPAN}-01-`],
    ["a later version whose flags are longer", `cc-${TRACE}-${SPAN}-01.more`],
    ["a trace id of zeros", `00-${"0".repeat(32)}-${SPAN}-01`],
    ["a trace id in upper case", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ["a trace id that is too short", `00-${TRACE.slice(1)}-${SPAN}-01`],
    ["a trace id that is too long", `00-${TRACE}0-${SPAN}-01`],
    ["a trace id that is not hexadecimal", `00-${TRACE.slice(1)}.-${SPAN}-01`],
    ["a span id of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
    ["a span id in upper case", `00-${TRACE}-${SPAN.toUpperCase()}-01`],
    ["a span id that is too short", `00-${TRACE}-${SPAN.slice(1)}-01`],
    ["no flags", `00-${TRACE}-${SPAN}`],
    ["flags of one digit", `00-${TRACE}-${SPAN}-1`],
    ["flags that are not hexadecimal", `00-${TRACE}-${SPAN}-.0`],
    ["two of them", `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`],
    ["one of any length", `cc-${TRACE}-${SPAN}-01-${"x".repeat(10_000)}`],
  ])("is not taken over: %s", (_, header) => {
    expect(parseTraceparent(header)).toBeUndefined();
  });

  it("is passed on with the flags that are known", () => {
    const context = { traceId: TRACE, spanId: SPAN, isSampled: true };
    expect(formatTraceparent(context)).toBe(`00-${TRACE}-${SPAN}-01`);
    expect(formatTraceparent({ ...context, isSampled: false })).toBe(`00-${TRACE}-${SPAN}-00`);
    expect(parseTraceparent(formatTraceparent(context))).toEqual(context);
  });

  it("has other ids for each new trace, and the same trace id below it", () => {
    const [one, other] = [newTrace(), newTrace()];
    expect(parseTraceparent(formatTraceparent(one))).toEqual(one);
    expect(other.traceId).not.toBe(one.traceId);
    const child = childOf(one);
    expect(child).toMatchObject({ traceId: one.traceId, isSampled: true });
    expect(child.spanId).not.toBe(one.spanId);
  });
});

const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";

/** @param count of members, each with another key. */
function members(count: number, value: string): string[] {
  return Array.from({ length: count }, (_, index) => `k${ALPHABET[index % 36]}${Math.floor(index / 36)}=${value}`);
}

describe("tracestate", () => {
  it.each([
    ["one member", "foo=1", "foo=1"],
    ["several", "foo=1,bar=2", "foo=1,bar=2"],
    ["white space and empty members, which are removed", " foo=1 ,\t, bar=2,", "foo=1,bar=2"],
    ["all characters of keys", "a0_-*/=1,0tenant@sys=2", "a0_-*/=1,0tenant@sys=2"],
    ["a key of 256 characters", `${"k".repeat(256)}=1`, `${"k".repeat(256)}=1`],
    ["all characters of values", "foo=!\"#$%&'()*+-./:;<>?@[]^_`{|}~ ~", "foo=!\"#$%&'()*+-./:;<>?@[]^_`{|}~ ~"],
    ["a value of 256 characters", `foo=${"v".repeat(256)}`, `foo=${"v".repeat(256)}`],
    ["32 members", members(32, "1").join(","), members(32, "1").join(",")],
  ])("is passed on: %s", (_, header, expected) => {
    expect(parseTracestate(header)).toBe(expected);
  });

  it.each([
    ["none", null],
    ["an empty one", ""],
    ["only commas", " , ,"],
    ["a member without a value", "foo"],
    ["an empty value", "foo="],
    ["an empty key", "=1"],
    ["a key in upper case", "FOO=1"],
    ["a key that begins with a digit", "1foo=1"],
    ["a key with a space", "foo =1"],
    ["a key of 257 characters", `${"k".repeat(257)}=1`],
    ["a system that begins with a digit", "tenant@1=1"],
    ["a tenant of 242 characters", `${"t".repeat(242)}@v=1`],
    ["a system of 15 characters", `t@${"v".repeat(15)}=1`],
    ["a value with an equals sign", "foo=1=2"],
    ["a value with a character beyond ASCII", "foo=é"],
    ["a value of 257 characters", `foo=${"v".repeat(257)}`],
    ["a key that occurs twice", "foo=1,foo=2"],
    ["33 members", members(33, "1").join(",")],
    ["one of any length", members(32, "v".repeat(300)).join(",")],
  ])("is not passed on: %s", (_, header) => {
    expect(parseTracestate(header)).toBeUndefined();
  });

  it("that is too long loses its long members, and then its last ones", () => {
    const long = `long=${"v".repeat(200)}`;
    const short = members(6, "v".repeat(96));
    expect(parseTracestate([long, ...short].join(","))).toBe(short.slice(0, 5).join(","));
    expect(parseTracestate([long, ...short.slice(0, 3)].join(","))).toBe([long, ...short.slice(0, 3)].join(","));
  });
});
