import { refuse } from "@durable-streams-cloudflare/protocol";
import { beforeEach, expect, it } from "vitest";

import { Strangers } from "./strangers.ts";

const UNKNOWN = refuse("unauthenticated", "The request has no token.");

let nowMs: number;
let strangers: Strangers;

beforeEach(() => {
  nowMs = 0;
  strangers = new Strangers(3, false, () => nowMs);
});

function from(address?: string): Request {
  return new Request(
    "https://streams.example",
    address === undefined ? {} : { headers: { "CF-Connecting-IP": address } },
  );
}

function codesOf(times: number, address?: string): string[] {
  return Array.from({ length: times }, () => strangers.refuse(from(address), UNKNOWN).problem.code);
}

it("[IN20] an address has so many refusals a minute, and then learns that these are too many", () => {
  expect(codesOf(5, "192.0.2.1")).toEqual([...Array(3).fill("unauthenticated"), "rate-limited", "rate-limited"]);
  expect(codesOf(1, "192.0.2.2")).toEqual(["unauthenticated"]);
  nowMs += 60_000;
  expect(codesOf(1, "192.0.2.1")).toEqual(["unauthenticated"]);
});

it("behind the server's own proxy, the address is what the proxy says, and nothing that a client says", () => {
  strangers = new Strangers(1, true, () => nowMs);
  const codes = ["a, 192.0.2.1", "b, 192.0.2.1"].map(
    (list) =>
      strangers.refuse(new Request("https://x.example", { headers: { "X-Forwarded-For": list } }), UNKNOWN).problem
        .code,
  );
  expect(codes).toEqual(["unauthenticated", "rate-limited"]);
});

it("a network of IPv6 addresses counts as one", () => {
  expect(codesOf(3, "2001:db8:1:2::1")).not.toContain("rate-limited");
  expect(codesOf(1, "2001:db8:1:2:ffff::9")).toEqual(["rate-limited"]);
  expect(codesOf(1, "2001:db8:1:3::1")).toEqual(["unauthenticated"]);
});

it("all together have ten times as many, so that made-up addresses evade only the limit of a single address", () => {
  for (let index = 0; index < 30; index += 1) expect(codesOf(1, `192.0.2.${index}`)).toEqual(["unauthenticated"]);
  expect(codesOf(1, "198.51.100.1")).toEqual(["rate-limited"]);
  expect(codesOf(1)).toEqual(["rate-limited"]);
});

it("a refusal to someone who has proved who they are is not counted", () => {
  const forbidden = refuse("forbidden", "The token is not valid for this stream.");
  for (let index = 0; index < 100; index += 1) expect(strangers.refuse(from(), forbidden)).toBe(forbidden);
  expect(strangers.isOver(from())).toBe(false);
});

it("any number of addresses takes the memory of ten thousand, and never that of all together", () => {
  const many = new Strangers(2_000, false, () => nowMs);
  for (let index = 0; index < 20_000; index += 1) many.count(from(`a${index}`));
  expect(many.isOver(from("new"))).toBe(true);
});
