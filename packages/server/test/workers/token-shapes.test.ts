/** Tokens as identity providers and hand-written code make them: which are taken, which are not, and what they buy. */
import { base64url } from "jose";
import { beforeAll, describe, expect, it } from "vitest";

import { problemCode } from "./edge.ts";
import { EventReader } from "./events.ts";
import { newProject, newProjectStream, newService, newToken, type TestProject } from "./projects.ts";

const service = newService();
let project: TestProject;
let path = "";

beforeAll(async () => {
  project = await newProject(service);
  path = await newProjectStream(service, project, "content");
});

const now = (): number => Math.floor(Date.now() / 1000);
const good = (): Record<string, unknown> => ({ sub: project.name, scope: "read write manage", exp: now() + 600 });

interface Shape {
  readonly header?: Record<string, unknown>;
  readonly claims?: Record<string, unknown>;
  /** Instead of the claims. */
  readonly payload?: string;
  readonly secret?: string;
}

async function signed({ header = {}, claims = {}, payload, secret = project.secret }: Shape): Promise<string> {
  const parts = [
    JSON.stringify({ alg: "HS256", typ: "JWT", ...header }),
    payload ?? JSON.stringify({ ...good(), ...claims }),
  ];
  const text = parts.map((part) => base64url.encode(part)).join(".");
  const bytes = new TextEncoder().encode(secret);
  const key = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const signature = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text));
  return `${text}.${base64url.encode(new Uint8Array(signature))}`;
}

async function statusOf(authorization: string, query = "?offset=-1"): Promise<number> {
  const response = await service.fetch(path + query, { headers: { Authorization: authorization } });
  await response.body?.cancel();
  return response.status;
}

describe("a token is taken", () => {
  it.each<[string, () => Shape]>([
    ["whose exp is a fraction", () => ({ claims: { exp: now() + 60.5 } })],
    ["that expired less than 30 seconds ago", () => ({ claims: { exp: now() - 20 } })],
    ["whose nbf is less than 30 seconds ahead", () => ({ claims: { nbf: now() + 20 } })],
    ["with a list of audiences, where the project has none", () => ({ claims: { aud: ["a", "b"] } })],
    ["with claims of others", () => ({ claims: { azp: "app", jti: "1", email: "a@example.com", realm: { a: 1 } } })],
    ["with words of others in its scope", () => ({ claims: { scope: "openid profile read" } })],
    ["of the type at+jwt", () => ({ header: { typ: "at+jwt" } })],
    ["without a type", () => ({ header: { typ: undefined } })],
  ])("%s", async (_what, shape) => {
    expect(await statusOf(`Bearer ${await signed(shape())}`)).toBe(200);
  });

  it("behind a scheme in any case", async () => {
    for (const scheme of ["bearer", "BEARER", "Bearer"])
      expect(await statusOf(`${scheme} ${await signed({})}`)).toBe(200);
  });
});

describe("a token is refused with 401", () => {
  it.each<[string, () => Shape]>([
    ["that expired more than 30 seconds ago", () => ({ claims: { exp: now() - 40 } })],
    ["whose exp is a text", () => ({ claims: { exp: String(now() + 60) } })],
    ["whose exp is in milliseconds", () => ({ claims: { exp: Date.now() + 60_000 } })],
    ["whose exp is 1e300", () => ({ claims: { exp: 1e300 } })],
    ["without exp", () => ({ claims: { exp: undefined } })],
    ["whose nbf is a minute ahead", () => ({ claims: { nbf: now() + 60 } })],
    ["whose scope is a list", () => ({ claims: { scope: ["read"] } })],
    ["with crit", () => ({ header: { crit: ["x"], x: 1 } })],
    ["with an unencoded payload", () => ({ header: { b64: false, crit: ["b64"] } })],
    ["of an unknown kid", () => ({ header: { kid: "nope" } })],
    ["of an unknown type", () => ({ header: { typ: "dpop+jwt" } })],
    [
      "with a claim twice",
      () => ({ payload: `{"sub":"${project.name}","scope":"read","scope":"manage","exp":${now() + 60}}` }),
    ],
    [
      "with a member of a right twice",
      () => ({
        payload: `{"sub":"${project.name}","rights":[{"streams":"x","scope":"read","streams":"*"}],"exp":${now() + 60}}`,
      }),
    ],
    ["of an empty secret", () => ({ secret: "\0" })],
    ["of another secret", () => ({ secret: "x".repeat(32) })],
    ["of more than 8 KiB", () => ({ claims: { padding: "y".repeat(9_000) } })],
  ])("[PJ3] %s", async (_what, shape) => {
    expect(await statusOf(`Bearer ${await signed(shape())}`)).toBe(401);
  });

  it("that something was added to", async () => {
    const token = await signed({});
    for (const changed of [
      `${token}%0a`,
      `${token}.`,
      `.${token}`,
      `${token} x`,
      "",
      "null",
      token.replaceAll(".", ","),
    ])
      expect([changed.slice(-8), await statusOf(`Bearer ${changed}`)]).toEqual([changed.slice(-8), 401]);
  });

  it("with how to ask for one", async () => {
    const response = await service.fetch(path);
    expect([response.status, response.headers.get("WWW-Authenticate")]).toEqual([401, "Bearer"]);
  });
});

it("[PJ9] a live read ends with its token, by an event that says so", async () => {
  const headers = { Authorization: `Bearer ${await signed({ claims: { exp: now() - 29 } })}` };
  const reader = new EventReader(await service.fetch(`${path}?offset=now&live=sse`, { headers }));
  expect(await reader.take(3)).toEqual(["control@7 up-to-date", "problem:token-expired", "end"]);
});

it("[PR16] a producer whose token may only read gets 401, because clients claim new epochs for ever on a bare 403", async () => {
  const token = await newToken(project, { claims: { scope: "read" } });
  const producer = { "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": "0" };
  const headers = { ...producer, Authorization: `Bearer ${token}`, "Content-Type": "text/plain" };
  const response = await service.fetch(path, { method: "POST", headers, body: "x" });
  expect([response.status, await problemCode(response)]).toEqual([401, "unauthenticated"]);
});

describe("[SC2] what a token has bought stays private", () => {
  const ask = (query: string, more: Record<string, string> = {}): Promise<Response> =>
    newToken(project).then((token) =>
      service.fetch(path + query, { headers: { Authorization: `Bearer ${token}`, ...more } }),
    );

  it("in every kind of answer", async () => {
    const first = await ask("?offset=-1");
    const etag = first.headers.get("ETag") ?? "";
    const tail = first.headers.get("Stream-Next-Offset") ?? "";
    const zero = "0000000000000000_0000000000000000";
    const answers = [
      first,
      await ask(""),
      await ask(`?offset=${tail}`),
      await ask(`?offset=${zero}`),
      await ask("?offset=-1", { "If-None-Match": etag }),
      await ask("?offset=-1&live=long-poll"),
      await ask("?offset=now&live=long-poll"),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 304, 200, 204]);
    for (const { headers } of answers) {
      expect(headers.get("Cache-Control")).toMatch(/private|no-store/);
      expect(headers.get("Cache-Control")).not.toContain("public");
    }
  });

  it("and who knows its entity tag, or a longer name, gets nothing", async () => {
    const etag = (await ask("?offset=-1")).headers.get("ETag") ?? "";
    for (const [suffix, headers] of [
      ["", {}],
      ["", { "If-None-Match": etag }],
      ["", { "If-None-Match": "*" }],
      ["x", {}],
    ] as const) {
      const response = await service.fetch(`${path}${suffix}?offset=-1`, { headers });
      expect([response.status, response.headers.get("Cache-Control")]).toEqual([401, "no-store"]);
    }
  });
});
