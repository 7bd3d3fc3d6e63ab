/** Default deny: every route against every kind of token. */
import { base64url, exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import { beforeAll, describe, expect, it, vi } from "vitest";

import { problemCode } from "./edge.ts";
import { ADMIN, newProject, newProjectStream, newService, newToken, withToken, type TestProject } from "./projects.ts";
import { pathOf, WALKED } from "./routes.ts";

const CONTENT = "the-content-of-a-private-stream";
const JWKS_URL = "https://issuer.example/jwks.json";
const ISSUER = "https://issuer.example/";

const service = newService();
let project: TestProject;
let other: TestProject;
let stream = "";
let rsa: CryptoKeyPair;

beforeAll(async () => {
  rsa = await generateKeyPair("RS256", { extractable: true });
  project = await newProject(service, { issuer: { jwksUrl: JWKS_URL, issuer: ISSUER } });
  other = await newProject(service);
  stream = await newProjectStream(service, project, CONTENT);
  vi.spyOn(globalThis, "fetch").mockImplementation(async () =>
    Response.json({ keys: [{ ...(await exportJWK(rsa.publicKey)), kid: "rsa", alg: "RS256" }] }),
  );
});

/** A route with what it needs: a scope, or more. */
interface Probe {
  readonly route: string;
  readonly method: string;
  readonly path: () => string;
  readonly needs: string;
}

function probesOf(root: string, names: () => Readonly<Record<string, string>>): readonly Probe[] {
  return WALKED.filter(({ path }) => path.startsWith(root)).map((route) => ({
    route: route.title,
    method: route.method,
    needs: route.needs,
    path: () => pathOf(route, { project: project.name, item: "a", ...names() }),
  }));
}

const OF_STREAM = "/v1/stream/:project/:stream";

const streamProbes: readonly Probe[] = [
  ...probesOf(OF_STREAM, () => ({ stream: stream.split("/").slice(4).join("/") })),
  ...["?offset=-1&live=sse", "?offset=-1&live=long-poll"].map((query) => ({
    route: `GET ${OF_STREAM}${query}`,
    method: "GET",
    needs: "read",
    path: () => stream + query,
  })),
];

const registryProbes: readonly Probe[] = probesOf(OF_STREAM, () => ({ stream: "__registry__" })).map((probe) => ({
  ...probe,
  route: `${probe.route} __registry__`,
}));

const projectProbes: readonly Probe[] = probesOf("/v1/projects", () => ({ item: project.kid }));

const estuaryProbes: readonly Probe[] = probesOf("/v1/estuary/", () => ({ session: "session", stream: "a/source" }));

/** What needs the token of a wake, or none, is tested with the subscriptions. */
const subscriptionProbes: readonly Probe[] = probesOf("/v1/stream/:project/__ds/", () => ({})).filter(
  ({ needs }) => needs !== "wake" && needs !== "nothing",
);

/** The rest of the table is open to everybody. */
it("[SC1] no route is left out here but those that need nothing, or a wake's token", () => {
  const rest = WALKED.filter(({ title }) => !probes.some(({ route }) => route === title));
  expect(rest.map(({ needs }) => needs).filter((needs) => needs !== "wake" && needs !== "nothing")).toEqual([]);
});

const probes: readonly Probe[] = [
  ...streamProbes,
  ...registryProbes,
  ...projectProbes,
  ...estuaryProbes,
  ...subscriptionProbes,
];

function encode(json: unknown): string {
  return base64url.encode(typeof json === "string" ? json : JSON.stringify(json));
}

async function hmac(secret: string, header: unknown, payload: unknown): Promise<string> {
  const signed = `${encode(header)}.${encode(payload)}`;
  const key = new TextEncoder().encode(secret);
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return `${signed}.${base64url.encode(new Uint8Array(await crypto.subtle.sign("HMAC", imported, new TextEncoder().encode(signed))))}`;
}

const inAMinute = (): number => Math.floor(Date.now() / 1000) + 60;
const good = () => ({ sub: project.name, scope: "read write manage", exp: inAMinute() });

function replacePart(token: string, part: number, text: string): string {
  return token.split(".").with(part, text).join(".");
}

/** Tokens that prove nothing. */
const BAD_TOKENS: Readonly<Record<string, () => string | Promise<string>>> = {
  "no JWT at all": () => "x",
  "an empty one": () => "",
  "of another project": () => newToken(other),
  "for another project, signed by this one": () => newToken(project, { claims: { sub: other.name } }),
  "for this project, signed by another": () => newToken({ ...project, secret: other.secret }),
  "whose sub is a list": () => hmac(project.secret, { alg: "HS256" }, { ...good(), sub: [project.name] }),
  "without sub": () => hmac(project.secret, { alg: "HS256" }, { ...good(), sub: undefined }),
  "without scope": () => hmac(project.secret, { alg: "HS256" }, { ...good(), scope: undefined }),
  "whose scope is a list": () => hmac(project.secret, { alg: "HS256" }, { ...good(), scope: ["manage"] }),
  "without exp": () => newToken(project, { expiresIn: null }),
  "whose exp is a text": () => hmac(project.secret, { alg: "HS256" }, { ...good(), exp: "never" }),
  "whose exp is infinite": () =>
    hmac(project.secret, { alg: "HS256" }, `{"sub":"${project.name}","scope":"manage","exp":1e999}`),
  "that has expired": () => newToken(project, { expiresIn: -31 }),
  "of the future": () => newToken(project, { claims: { nbf: inAMinute() }, expiresIn: 120 }),
  "whose stream_id is a list": () => newToken(project, { claims: { stream_id: ["*"] } }),
  "whose stream_id is empty": () => newToken(project, { claims: { stream_id: "" } }),
  "whose exp is in milliseconds": () => hmac(project.secret, { alg: "HS256" }, { ...good(), exp: Date.now() }),
  "whose user is no text": () => newToken(project, { claims: { user: { id: 7 } } }),
  "with rights beside its scope": () => newToken(project, { claims: { rights: [{ streams: "*", scope: "manage" }] } }),
  "whose rights have an unknown member": () =>
    newToken(project, { claims: { scope: undefined, rights: [{ streams: "*", scope: "manage", until: 1 }] } }),
  "with a claim twice": () =>
    hmac(project.secret, { alg: "HS256" }, JSON.stringify(good()).replace("{", '{"su\\u0062":"x",')),
  "with another's payload": async () =>
    replacePart(await newToken(project, { claims: { scope: "read" } }), 1, encode(good())),
  "with another's signature": async () =>
    replacePart(await newToken(project), 2, (await newToken(other)).split(".")[2] ?? ""),
  "without a signature": async () => replacePart(await newToken(project), 2, ""),
  "of algorithm none": () => `${encode({ alg: "none" })}.${encode(good())}.`,
  "of algorithm NONE with a signature": async () => replacePart(await newToken(project), 0, encode({ alg: "NONE" })),
  "of algorithm HS512": () => newToken(project, { header: { alg: "HS512" } }),
  "whose kid is unknown": () => newToken(project, { header: { kid: "unknown" } }),
  "of HS256 with the issuer's public key, as PEM": async () =>
    hmac(await exportSPKI(rsa.publicKey), { alg: "HS256" }, good()),
  "of HS256 with the issuer's public key, as JWK": async () =>
    hmac(JSON.stringify(await exportJWK(rsa.publicKey)), { alg: "HS256", kid: "rsa" }, good()),
  "that brings its own key": async () => {
    const mine = await generateKeyPair("RS256", { extractable: true });
    const jwk = await exportJWK(mine.publicKey);
    return new SignJWT({ ...good(), iss: ISSUER })
      .setProtectedHeader({ alg: "RS256", jwk, kid: "rsa" })
      .sign(mine.privateKey);
  },
  "of the issuer, for another issuer": () =>
    new SignJWT({ ...good(), iss: "https://other.example/" })
      .setProtectedHeader({ alg: "RS256", kid: "rsa" })
      .sign(rsa.privateKey),
  "of the issuer, without iss": () =>
    new SignJWT(good()).setProtectedHeader({ alg: "RS256", kid: "rsa" }).sign(rsa.privateKey),
  "with a crit header": () =>
    newToken(project, { header: { crit: ["x"], x: 1 } }).catch(() =>
      hmac(project.secret, { alg: "HS256", crit: ["x"], x: 1 }, good()),
    ),
  "of more than 8 KiB": () => newToken(project, { claims: { padding: "x".repeat(8_192) } }),
  "of a signed read URL": async () => readUrlToken(),
};

async function readUrlToken(): Promise<string> {
  const name = stream.split("/").at(-1) ?? "";
  const path = `/v1/projects/${project.name}/read-urls`;
  const response = await service.fetch(path, withToken("POST", await newToken(project), { stream: name }));
  return (await response.json<{ token: string }>()).token;
}

/** An answer without what is of this request alone. */
async function withoutId(response: Response): Promise<unknown> {
  const { requestId: _, ...body } = await response.json<{ requestId: string }>();
  return [response.status, body, [...response.headers].filter(([name]) => name !== "stream-request-id")];
}

async function expectNothing(response: Response, status: number): Promise<void> {
  expect(response.status).toBe(status);
  expect(response.headers.get("Cache-Control")).toBe("no-store");
  const text = await response.text();
  for (const secret of [CONTENT, project.secret, project.kid]) expect(text).not.toContain(secret);
}

describe.each(probes)("[SC1] [IN16] $route", ({ method, path, needs }) => {
  it("[PJ3] is refused without a token", async () => {
    const response = await service.fetch(path(), { method });
    expect(response.headers.get("WWW-Authenticate")).toBe("Bearer");
    await expectNothing(response, 401);
  });

  it.each(Object.entries(BAD_TOKENS))("is refused with a token %s", async (_what, make) => {
    await expectNothing(await service.fetch(path(), withToken(method, await make())), 401);
  });

  it("is refused with a good token in the wrong place of the request", async () => {
    const token = await newToken(project);
    const query = path().includes("?") ? "&" : "?";
    for (const suffix of [`token=${token}`, `key=${token}`, `access_token=${token}`]) {
      await expectNothing(await service.fetch(path() + query + suffix, { method }), 401);
    }
    for (const headers of [
      { Authorization: token },
      { Authorization: `Basic ${token}` },
      { Authorization: `Bearer ${token} x` },
      { "X-Token": token },
    ]) {
      await expectNothing(await service.fetch(path(), { method, headers: { ...headers } }), 401);
    }
  });

  it.each(["read", "write", "read write", "manage", "openid", ""])(
    "with the scope '%s' is let through only if that is enough",
    async (scope) => {
      const words = scope.split(" ");
      const isEnough = needs !== "admin" && (words.includes(needs) || words.includes("manage"));
      if (isEnough) return; // What is allowed is tested where it is done.
      const token = await newToken(project, { claims: { scope } });
      await expectNothing(await service.fetch(path(), withToken(method, token)), needs === "admin" ? 401 : 403);
    },
  );
});

describe("a token for some streams", () => {
  it.each(streamProbes)("[PJ4] is refused for another one: $route", async ({ method, path }) => {
    for (const pattern of ["other", "other/*", `${stream.split("/").at(-1)}x`, "S-*"]) {
      const token = await newToken(project, { claims: { stream_id: pattern } });
      await expectNothing(await service.fetch(path(), withToken(method, token)), 403);
    }
  });

  it.each(estuaryProbes)("[PJ4] is refused for another session: $route", async ({ method, path }) => {
    for (const pattern of ["other", "sessio", "SESSION*"]) {
      const token = await newToken(project, { claims: { stream_id: pattern } });
      const init = { method, headers: { Authorization: `Bearer ${token}` } };
      const body = JSON.stringify({ estuaryId: "session" });
      await expectNothing(await service.fetch(path(), method === "GET" ? init : { ...init, body }), 403);
    }
  });

  const ofAllStreams = [...projectProbes, ...subscriptionProbes].filter(({ needs }) => needs !== "admin");
  it.each(ofAllStreams)("is refused by $route", async ({ method, path }) => {
    const rights = [{ streams: "*", scope: "manage" }];
    for (const claims of [{ stream_id: "*" }, { scope: undefined, rights }]) {
      const token = await newToken(project, { claims });
      await expectNothing(await service.fetch(path(), withToken(method, token)), 403);
    }
  });

  it("[PJ4] is enough for its own, exact or by prefix", async () => {
    for (const pattern of [stream.split("/").at(-1), "s-*", "*"]) {
      const token = await newToken(project, { claims: { stream_id: pattern, scope: "read" } });
      expect((await service.fetch(stream, withToken("GET", token))).status).toBe(200);
    }
  });
});

describe("who may do what", () => {
  it("ADMIN_SECRET does not give access to streams", async () => {
    await expectNothing(await service.fetch(stream, withToken("GET", ADMIN)), 401);
  });

  it("an empty ADMIN_SECRET is nobody's", async () => {
    const closed = newService({ ADMIN_SECRET: "" });
    for (const token of ["", ADMIN])
      await expectNothing(await closed.fetch("/v1/projects", withToken("GET", token)), 401);
  });

  it("a token of the project's own issuer is one of the project", async () => {
    const token = await new SignJWT({ ...good(), iss: ISSUER })
      .setProtectedHeader({ alg: "RS256", kid: "rsa" })
      .sign(rsa.privateKey);
    expect((await service.fetch(stream, withToken("GET", token))).status).toBe(200);
  });

  it("a token must be for the project's audience, where it has one, also that of a signed read URL", async () => {
    const owner = await newProject(service, { audience: "streams" });
    const manager = { claims: { aud: "streams" } };
    const path = `/v1/stream/${owner.name}/s`;
    expect((await service.fetch(path, withToken("PUT", await newToken(owner, manager)))).status).toBe(201);
    for (const [aud, status] of [
      [undefined, 401],
      ["other", 401],
      [["other"], 401],
      ["streams", 200],
      [["other", "streams"], 200],
    ] as const) {
      const token = await newToken(owner, { claims: aud === undefined ? {} : { aud: aud as string | string[] } });
      expect([aud, (await service.fetch(path, withToken("GET", token))).status]).toEqual([aud, status]);
    }
    const init = withToken("POST", await newToken(owner, manager), { stream: "s" });
    const signed = await service.fetch(`/v1/projects/${owner.name}/read-urls`, init);
    const { token } = await signed.json<{ token: string }>();
    expect((await service.fetch(`${path}?token=${token}`)).status).toBe(200);
  });

  it("a token a few seconds off is within the clocks' tolerance", async () => {
    const late = await newToken(project, { expiresIn: -20 });
    const early = await newToken(project, { claims: { nbf: inAMinute() - 40 } });
    for (const token of [late, early]) expect((await service.fetch(stream, withToken("GET", token))).status).toBe(200);
  });

  it("[PR16] a producer that may not write gets 401, because it would loop on a 403", async () => {
    const token = await newToken(project, { claims: { scope: "read" } });
    const headers = {
      Authorization: `Bearer ${token}`,
      "Producer-Id": "p",
      "Producer-Epoch": "0",
      "Producer-Seq": "0",
    };
    await expectNothing(await service.fetch(stream, { method: "POST", headers, body: "x" }), 401);
  });

  it("[FK16] a fork needs the right to read its source", async () => {
    const write = await newToken(project, { claims: { scope: "write" } });
    const headers = { Authorization: `Bearer ${write}`, "Stream-Forked-From": stream };
    await expectNothing(await service.fetch(`${stream}-fork`, { method: "PUT", headers }), 403);
  });

  it("[FK16] [IN16] a fork never crosses projects, whatever the token", async () => {
    const headers = { Authorization: `Bearer ${await newToken(other)}`, "Stream-Forked-From": stream };
    const response = await service.fetch(`/v1/stream/${other.name}/fork`, { method: "PUT", headers });
    expect(response.status).toBe(400);
    expect(await problemCode(response)).toBe("fork-header-invalid");
  });

  it("[PJ3] a project that does not exist and a token that is wrong look the same", async () => {
    const token = await newToken(other);
    const missing = await service.fetch("/v1/stream/missing/s", withToken("GET", token));
    const wrong = await service.fetch(stream, withToken("GET", token));
    expect(await withoutId(missing)).toEqual(await withoutId(wrong));
  });

  it("[SC2] no shared cache keeps what a token reads", async () => {
    const response = await service.fetch(`${stream}?offset=-1`, withToken("GET", await newToken(project)));
    expect(response.headers.get("Cache-Control")).toContain("private");
    expect(response.headers.get("Vary")).toContain("Authorization");
  });
});
