import { expect, it } from "vitest";

import { includesScope, parseRights, type Scope } from "./rights.ts";

const SCOPES: readonly Scope[] = ["read", "write", "manage"];

/** What the claims allow on a stream, or the claim that is refused. */
function allowed(claims: Readonly<Record<string, unknown>>, stream: string): string {
  const parsed = parseRights(claims);
  if (typeof parsed === "string") return `bad ${parsed}`;
  const rights = parsed.rights.filter((right) => right.isFor(stream));
  return SCOPES.filter((scope) => includesScope(rights, scope)).join(" ");
}

it("[PJ6] several rights allow what each of them allows, and nothing else", () => {
  const rights = [
    { streams: "room-*", scope: "read" },
    { streams: "room-1", scope: "write" },
    { session: "alice", scope: "write" },
    { streams: "drafts/alice", scope: "manage" },
  ];
  expect(allowed({ rights }, "room-1")).toBe("read write");
  expect(allowed({ rights }, "room-2")).toBe("read");
  expect(allowed({ rights }, "alice")).toBe("read write");
  expect(allowed({ rights }, "drafts/alice")).toBe("read write manage");
  for (const other of ["room", "Room-1", "alice2", "alice/x", "ali", "drafts", "x", ""])
    expect([other, allowed({ rights }, other)]).toEqual([other, ""]);
});

it("on a session the right to write includes the right to read it; on streams it does not", () => {
  expect(allowed({ rights: [{ session: "s", scope: "write" }] }, "s")).toBe("read write");
  expect(allowed({ rights: [{ session: "s", scope: "read" }] }, "s")).toBe("read");
  expect(allowed({ rights: [{ streams: "s", scope: "write" }] }, "s")).toBe("write");
});

it("a session is named exactly: a star in it is no pattern", () => {
  for (const session of ["*", "alice*", "a/b", "", ".", "..", "__ds", "__registry__", "x".repeat(129), 7, null, ["a"]])
    expect(allowed({ rights: [{ session, scope: "read" }] }, "alice")).toBe("bad rights");
});

it.each([
  ["not a list", { streams: "*", scope: "read" }],
  ["a text", "read"],
  ["null", null],
  ["empty", []],
  ["more than 64", Array.from({ length: 65 }, () => ({ streams: "a", scope: "read" }))],
  ["of what is no object", [["streams", "a"]]],
  ["of null", [null]],
  ["of texts", ["read"]],
  ["with an unknown member", [{ streams: "a", scope: "read", until: 1 }]],
  ["with a stream and a session at once", [{ streams: "a", session: "a", scope: "read" }]],
  ["with neither stream nor session", [{ scope: "read" }]],
  ["without scope", [{ streams: "a" }]],
  ["with a list as scope", [{ streams: "a", scope: ["read"] }]],
  ["with an unknown word as scope", [{ streams: "a", scope: "read admin" }]],
  ["with an empty scope", [{ streams: "a", scope: "" }]],
  ["with two spaces in its scope", [{ streams: "a", scope: "read  write" }]],
  ["with a list of streams", [{ streams: ["a"], scope: "read" }]],
  ["with an empty pattern", [{ streams: "", scope: "read" }]],
  ["with a pattern that is too long", [{ streams: "a".repeat(402), scope: "read" }]],
  ["of which the last is wrong", [{ streams: "a", scope: "read" }, { streams: "b" }]],
])("[PJ6] rights that are %s give nothing at all", (_what, rights) => {
  expect(allowed({ rights }, "a")).toBe("bad rights");
});

it("rights stand alone: neither scope nor stream_id beside them", () => {
  const rights = [{ streams: "a", scope: "read" }];
  expect(allowed({ rights, scope: "read" }, "a")).toBe("bad rights");
  expect(allowed({ rights, scope: "openid" }, "a")).toBe("bad rights");
  expect(allowed({ rights, stream_id: "a" }, "a")).toBe("bad rights");
});

it("sixty-four rights are not too many", () => {
  const rights = Array.from({ length: 64 }, (_, index) => ({ streams: `s${index}`, scope: "read" }));
  expect(allowed({ rights }, "s63")).toBe("read");
});

it("[PJ6] no list of rights covers the whole project, not even one of all its streams", () => {
  expect(parseRights({ rights: [{ streams: "*", scope: "manage" }] })).toMatchObject({ isProjectWide: false });
  expect(parseRights({ scope: "manage", stream_id: "*" })).toMatchObject({ isProjectWide: false });
  expect(parseRights({ scope: "manage" })).toMatchObject({ isProjectWide: true });
});

it("[PJ4] scope alone allows what its known words say, on the streams of stream_id", () => {
  expect(allowed({ scope: "openid read" }, "x")).toBe("read");
  expect(allowed({ scope: "manage", stream_id: "a*" }, "ab")).toBe("read write manage");
  expect(allowed({ scope: "manage", stream_id: "a*" }, "b")).toBe("");
  expect(allowed({ scope: ["read"] }, "x")).toBe("bad scope");
  expect(allowed({}, "x")).toBe("bad scope");
  expect(allowed({ scope: "read", stream_id: "" }, "x")).toBe("bad stream_id");
});
