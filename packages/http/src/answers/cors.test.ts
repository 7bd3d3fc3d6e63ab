import { describe, expect, it } from "vitest";

import { preflightAnswer } from "./cors.ts";

function allowedFor(asked: string): string[] {
  const headers = { "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": asked };
  const request = new Request("https://streams.example", { method: "OPTIONS", headers });
  const allowed = preflightAnswer(request, ["GET"]).headers["Access-Control-Allow-Headers"] ?? "";
  return allowed.toLowerCase().split(", ");
}

const ALWAYS = allowedFor("");

describe("a preflight lets through", () => {
  it("what tracing, error reports and frameworks add to requests", () => {
    const names = [
      "x-requested-with",
      "baggage",
      "sentry-trace",
      "tracestate",
      "traceparent",
      "ngrok-skip-browser-warning",
    ];
    expect(allowedFor(names.join(", "))).toEqual(expect.arrayContaining(names));
  });

  it("what the protocol knows, once, whoever asks for it", () => {
    expect(allowedFor("authorization,stream-ttl")).toEqual(ALWAYS);
  });

  it.each(["a b", "x\u00e4", "x:y", "x,;", '"x"', "x".repeat(65)])("no invalid name: %s", (name) => {
    expect(allowedFor(name).filter((each) => !ALWAYS.includes(each) && each !== "x")).toEqual([]);
  });

  it("sixty-four names besides, and no more", () => {
    const names = Array.from({ length: 200 }, (_, index) => `x-${index}`);
    expect(allowedFor(names.join(","))).toHaveLength(ALWAYS.length + 64);
  });
});
