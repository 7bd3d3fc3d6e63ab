import { describe, expect, it } from "vitest";

import { framingOf, isAppendable, isContentType, isTextual, mediaType, spelledForReaders } from "./content-type.ts";

describe("isContentType", () => {
  it.each([
    "text/plain",
    "application/vnd.api+json",
    "text/plain;charset=utf-8",
    "text/plain ; charset=utf-8",
    'multipart/mixed; boundary="a;b"',
    "text/plain;",
    `text/${"x".repeat(250)}`,
  ])("[JS1] accepts %j", (text) => {
    expect(isContentType(text)).toBe(true);
  });

  it.each([
    "",
    "text",
    "text/",
    "/plain",
    "text/pl ain",
    " text/plain",
    "text/plain\u0000",
    "text/plain; a=\u0001",
    "text/plain, text/html",
    "a/b/c",
    "text/plain; a=\r\nX: y",
    `text/${"x".repeat(251)}`,
  ])("[JS1] refuses %j", (text) => {
    expect(isContentType(text)).toBe(false);
  });
});

describe("mediaType", () => {
  it.each([
    ["Text/PLAIN", "text/plain"],
    ["application/json; charset=utf-8", "application/json"],
    ["application/json \t;charset=utf-8", "application/json"],
    ["text/plain;a=b;c=d", "text/plain"],
  ])("of %j is %j: case and parameters do not count", (contentType, expected) => {
    expect(mediaType(contentType)).toBe(expected);
  });
});

describe("[JS10] framingOf", () => {
  it.each([
    ["application/json", "json"],
    ["Application/JSON; charset=utf-8", "json"],
    ["application/foo+json", "bytes"],
    ["application/json-seq", "bytes"],
    ["application/ndjson", "bytes"],
    ["text/json", "bytes"],
    ["application/octet-stream", "bytes"],
  ] as const)("of %s is %s: JSON mode is for exactly application/json", (contentType, framing) => {
    expect(framingOf(contentType)).toBe(framing);
  });
});

describe("isTextual", () => {
  it.each([
    ["text/plain", true],
    ["TEXT/csv; charset=utf-8", true],
    ["application/json", true],
    ["application/foo+json", false],
    ["application/x-ndjson", false],
    ["application/octet-stream", false],
    ["image/svg+xml", false],
  ] as const)("of %s is %s", (contentType, textual) => {
    expect(isTextual(contentType)).toBe(textual);
  });
});

describe("spelledForReaders", () => {
  it.each([
    ["text/event-stream", "Text/Event-Stream"],
    ["text/event-stream; charset=utf-8", "Text/Event-Stream; charset=utf-8"],
    ["text/event-stream ;a=text/event-stream", "Text/Event-Stream ;a=text/event-stream"],
  ])("spells %j as %j, which is the same type", (contentType, spelled) => {
    expect(spelledForReaders(contentType)).toBe(spelled);
    expect(mediaType(spelled)).toBe(mediaType(contentType));
    expect(isAppendable(spelled, contentType)).toBe(true);
  });

  it.each([
    "TEXT/EVENT-STREAM",
    "text/event-streams",
    "text/plain; charset=utf-8",
    "application/json",
    "text/plain; a=text/event-stream",
  ])("leaves %j as it is", (contentType) => {
    expect(spelledForReaders(contentType)).toBe(contentType);
  });
});

describe("what may be appended", () => {
  const MULTIPART = "multipart/form-data; boundary=AAA";

  it.each([
    { sent: "TEXT/plain; charset=utf-8", of: "text/plain", isIt: true },
    { sent: "text/html", of: "text/plain", isIt: false },
    { sent: 'multipart/form-data; charset=utf-8; boundary="AAA"', of: MULTIPART, isIt: true },
    { sent: "multipart/form-data", of: MULTIPART, isIt: true },
    { sent: "multipart/form-data; boundary=BBB", of: MULTIPART, isIt: false },
    { sent: "multipart/form-data; boundary=aaa", of: MULTIPART, isIt: false },
    { sent: "multipart/form-data; boundary=AAA", of: "multipart/form-data", isIt: false },
  ])("[AP2] $sent may be appended to a stream of $of: $isIt", ({ sent, of, isIt }) => {
    expect(isAppendable(sent, of)).toBe(isIt);
  });
});
