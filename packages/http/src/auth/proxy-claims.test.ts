import { DEFAULT_SETTINGS } from "@durable-streams-cloudflare/core/contracts/project-record";
import type { Project } from "@durable-streams-cloudflare/core/project/project";
import { includesScope } from "@durable-streams-cloudflare/core/project/rights";
import { describe, expect, it } from "vitest";

import { proxyClaims } from "./proxy-claims.ts";

const record = { ...DEFAULT_SETTINGS, name: "acme", createdAtMs: 0, secrets: [], readUrlsFromMs: 0 };
const project: Project = { record, keys: new Map() };

const EXP = Math.floor(Date.now() / 1000) + 600;
const base64url = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** What a proxy sends for a user who may read and write the streams below `chat/`. */
const ALICE = {
  "X-JWT-Sub": "alice",
  "X-JWT-Exp": String(EXP),
  "X-JWT-Scope": "read write",
  "X-JWT-Stream-Id": "chat/*",
  "X-JWT-Project": "acme",
};
type Sent = Readonly<Record<string, string | undefined>>;

function requestOf(sent: Sent): Request {
  const headers = Object.entries(sent).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return new Request("https://streams.example/v1/stream/acme/chat/1", { headers });
}

const verify = (sent: Sent, tenancy: "path" | "single" = "path") =>
  proxyClaims(tenancy).verify(requestOf(sent), project);

async function claimsOf(sent: Sent, tenancy?: "path" | "single") {
  const verified = await verify(sent, tenancy);
  if (!verified.ok) throw new Error(JSON.stringify(verified.problem));
  return verified.claims;
}

async function problemOf(sent: Sent, tenancy?: "path" | "single") {
  const verified = await verify(sent, tenancy);
  if (verified.ok) throw new Error("The claims were accepted.");
  return verified.problem;
}

describe("the claims of a trusted proxy", () => {
  it("become the rights that a token with the same claims gives", async () => {
    const { rights, isProjectWide, by, expiresAtMs } = await claimsOf(ALICE);
    expect([isProjectWide, by, expiresAtMs]).toEqual([false, { kid: "proxy", user: "alice" }, (EXP + 30) * 1000]);
    expect(rights.map((right) => [right.isFor("chat/1"), right.isFor("other"), right.isFor("chat")])).toEqual([
      [true, false, false],
    ]);
    expect((["read", "write", "manage"] as const).map((scope) => includesScope(rights, scope))).toEqual([
      true,
      true,
      false,
    ]);
  });

  it("are for the whole project with the stream *, and for one stream with its name", async () => {
    expect((await claimsOf({ ...ALICE, "X-JWT-Stream-Id": "*" })).isProjectWide).toBe(true);
    const [right] = (await claimsOf({ ...ALICE, "X-JWT-Stream-Id": "chat/1" })).rights;
    expect([right?.isFor("chat/1"), right?.isFor("chat/12")]).toEqual([true, false]);
  });

  it("may be a list of rights, as Envoy sends a claim that is a list", async () => {
    const rights = [
      { streams: "room-*", scope: "read" },
      { session: "alice", scope: "write" },
    ];
    const sent = {
      ...ALICE,
      "X-JWT-Scope": undefined,
      "X-JWT-Stream-Id": undefined,
      "X-JWT-Rights": base64url(rights),
    };
    const claims = await claimsOf(sent);
    expect(claims.isProjectWide).toBe(false);
    expect(claims.rights.map((right) => [right.isFor("room-1"), right.isFor("alice")])).toEqual([
      [true, false],
      [false, true],
    ]);
  });

  it("give nothing for words of the scope that are another service's", async () => {
    const { rights } = await claimsOf({ ...ALICE, "X-JWT-Scope": "openid profile" });
    expect(includesScope(rights, "read")).toBe(false);
  });

  it("need no project where there is only one, and then say nothing about it", async () => {
    for (const named of [undefined, "acme", "another", "a, b"])
      expect((await claimsOf({ ...ALICE, "X-JWT-Project": named }, "single")).by.user).toBe("alice");
  });
});

describe("a claim that is missing never gives more", () => {
  const CASES = Object.keys(ALICE).flatMap((name) => [undefined, ""].map((value) => ({ name, value })));

  it.each(CASES)("[PJ18] $name: $value", async ({ name, value }) => {
    const problem = await problemOf({ ...ALICE, [name]: value });
    expect(problem.code).toBe("unauthenticated");
    expect(problem.detail).toBe(`The proxy did not send ${name}.`);
    expect(problem.hint).toContain(`${name} holds `);
  });

  it("all of them: the request has no claims, and the problem says which the proxy must send", () => {
    const claims = proxyClaims("path");
    expect(claims.isIn(requestOf({}))).toBe(false);
    expect(claims.isIn(requestOf({ "X-JWT-Sub": "", "X-JWT-Rights": "" }))).toBe(false);
    expect(claims.isIn(requestOf({ "X-JWT-Project": "x" }))).toBe(true);
    expect(claims.isIn(requestOf({ Authorization: "Bearer x", "X-JWT": "x", X_JWT_Sub: "x" }))).toBe(false);
    expect(claims.refuseMissing().problem.hint).toMatch(/X-JWT-Sub, X-JWT-Exp, X-JWT-Project, .*X-JWT-Scope/);
    expect(proxyClaims("single").refuseMissing().problem.hint).not.toContain("X-JWT-Project");
  });
});

describe("a claim that is not valid is refused, whatever the others are", () => {
  const BAD: readonly [string, string][] = [
    ["X-JWT-Sub", "alice, bob"],
    ["X-JWT-Sub", "alice,"],
    ["X-JWT-Sub", ",alice"],
    ["X-JWT-Sub", "x".repeat(257)],
    ["X-JWT-Sub", "ali\tce"],
    ["X-JWT-Sub", "Zoë"],
    ["X-JWT-Exp", "never"],
    ["X-JWT-Exp", "-1"],
    ["X-JWT-Exp", "1e12"],
    ["X-JWT-Exp", "0x7fffffff"],
    ["X-JWT-Exp", `${EXP}.5`],
    ["X-JWT-Exp", `${EXP}, ${EXP}`],
    ["X-JWT-Exp", "9".repeat(13)],
    ["X-JWT-Scope", "read, manage"],
    ["X-JWT-Scope", "read,manage"],
    ["X-JWT-Scope", "read  write"],
    ["X-JWT-Stream-Id", "chat/*, *"],
    ["X-JWT-Stream-Id", "chat /1"],
    ["X-JWT-Project", "acme, other"],
  ];

  it.each(BAD)("%s: %j", async (name, value) => {
    const problem = await problemOf({ ...ALICE, [name]: value });
    expect(problem).toMatchObject({ code: "unauthenticated", detail: `The header ${name} is not valid.` });
    expect(problem.hint).toContain("sent once");
  });

  const RIGHTS: readonly [string, string][] = [
    ["text", "not base64url!"],
    ["JSON that is not encoded", '[{"streams":"a","scope":"read"}]'],
    ["text that is not JSON", base64url("[{")],
    ["a key twice", base64url('[{"streams":"a","scope":"read","scope":"manage"}]')],
    [
      "two values",
      `${base64url([{ streams: "a", scope: "read" }])}, ${base64url([{ streams: "*", scope: "manage" }])}`,
    ],
    ["an object", base64url({ streams: "a", scope: "read" })],
    ["an empty list", base64url([])],
    ["a word that is no scope", base64url([{ streams: "a", scope: "everything" }])],
    ["an unknown key", base64url([{ streams: "a", scope: "read", until: 1 }])],
    ["too many", base64url(Array.from({ length: 65 }, () => ({ streams: "a", scope: "read" })))],
    ["too long", "A".repeat(9_000)],
  ];

  it.each(RIGHTS)("X-JWT-Rights: %s", async (_, value) => {
    const sent = { ...ALICE, "X-JWT-Scope": undefined, "X-JWT-Stream-Id": undefined, "X-JWT-Rights": value };
    expect((await problemOf(sent)).code).toBe("unauthenticated");
  });

  it.each(["X-JWT-Scope", "X-JWT-Stream-Id"])("X-JWT-Rights beside %s", async (name) => {
    const rights = base64url([{ streams: "a", scope: "read" }]);
    const sent = { ...ALICE, "X-JWT-Scope": undefined, "X-JWT-Stream-Id": undefined, "X-JWT-Rights": rights };
    expect((await problemOf({ ...sent, [name]: "*" })).code).toBe("unauthenticated");
  });

  it("[PJ18] two headers of one name, in either order", async () => {
    for (const name of Object.keys(ALICE)) {
      for (const values of [
        ["first", "second"],
        ["", "alice"],
        ["alice", ""],
      ]) {
        const headers = new Headers(ALICE);
        headers.delete(name);
        for (const value of values) headers.append(name, value);
        const verified = await proxyClaims("path").verify(new Request("https://streams.example", { headers }), project);
        expect([name, values, verified.ok]).toEqual([name, values, false]);
      }
    }
  });
});

describe("the time of a claim", () => {
  it("ends after the same grace as a token's", async () => {
    const now = Math.floor(Date.now() / 1000);
    expect((await claimsOf({ ...ALICE, "X-JWT-Exp": String(now - 5) })).expiresAtMs).toBe((now + 25) * 1000);
    expect((await problemOf({ ...ALICE, "X-JWT-Exp": String(now - 60) })).code).toBe("token-expired");
    expect((await problemOf({ ...ALICE, "X-JWT-Exp": "0" })).code).toBe("token-expired");
  });

  it("in milliseconds is found out rather than good for ever", async () => {
    const problem = await problemOf({ ...ALICE, "X-JWT-Exp": String(EXP * 1000).slice(0, 12) });
    expect([problem.code, problem.detail]).toEqual([
      "unauthenticated",
      "The token's exp is missing or more than ten years in the future.",
    ]);
  });
});

describe("a project that is not the claims'", () => {
  it.each(["Acme", "acme2", "other"])("%s is refused as one that does not exist", async (name) => {
    const sent = { ...ALICE, "X-JWT-Project": name };
    const problem = await problemOf(sent);
    expect(problem).toEqual(proxyClaims("path").refuseForeign(requestOf(sent)).problem);
    expect(problem.code).toBe("unauthenticated");
  });

  it("is refused for a malformed claim with the same answer, too", async () => {
    const sent = { ...ALICE, "X-JWT-Exp": "never" };
    expect(await problemOf(sent)).toEqual(proxyClaims("path").refuseForeign(requestOf(sent)).problem);
  });
});
