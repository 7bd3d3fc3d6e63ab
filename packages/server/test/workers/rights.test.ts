/** Tokens with several rights: a front end's, for its own session and the rooms that it may read. */
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";

import { problemCode } from "./edge.ts";
import { newProject, newService, newToken, withToken, type TestProject } from "./projects.ts";

const ISSUER = "https://issuer.example/";
const JWKS_URL = "https://issuer.example/rights.json";
const ALICE = [
  { streams: "room-*", scope: "read" },
  { session: "alice", scope: "write" },
];

const service = newService();
let project: TestProject;

const streamPath = (name: string): string => `/v1/stream/${project.name}/${name}`;
const tokenOf = (rights: unknown, claims: JWTPayload = {}): Promise<string> =>
  newToken(project, { claims: { scope: undefined, rights, ...claims } });

async function statusOf(token: string, method: string, path: string, body?: unknown): Promise<number> {
  const response = await service.fetch(path, withToken(method, token, body));
  await response.body?.cancel();
  return response.status;
}

beforeAll(async () => {
  project = await newProject(service, { issuer: { jwksUrl: JWKS_URL, issuer: ISSUER } });
  const headers = { Authorization: `Bearer ${await newToken(project)}`, "Content-Type": "application/json" };
  for (const name of ["room-1", "room-2", "hall", "inbox"])
    await service.fetch(streamPath(name), { method: "PUT", headers });
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("one token with several rights", () => {
  it("[PJ6] joins its own session to what it may read, and reads the session", async () => {
    const token = await tokenOf(ALICE);
    for (const room of ["room-1", "room-2"]) {
      const path = `/v1/estuary/subscribe/${project.name}/${room}`;
      expect(await statusOf(token, "POST", path, { estuaryId: "alice" })).toBe(200);
    }
    expect(await statusOf(token, "GET", streamPath("alice"))).toBe(200);
    expect(await statusOf(token, "HEAD", streamPath("alice"))).toBe(200);
    const described = await service.fetch(`/v1/estuary/${project.name}/alice`, withToken("GET", token));
    const { subscriptions } = await described.json<{ subscriptions: { source: string }[] }>();
    expect(subscriptions.map(({ source }) => source).toSorted()).toEqual(["room-1", "room-2"]);
    expect(await statusOf(token, "POST", `/v1/estuary/${project.name}/alice/touch`)).toBe(200);
    expect(
      await statusOf(token, "DELETE", `/v1/estuary/subscribe/${project.name}/room-2`, { estuaryId: "alice" }),
    ).toBe(204);
  });

  it("[PJ6] is refused for other sessions, other sources, and more than its scope", async () => {
    const token = await tokenOf(ALICE);
    const subscribe = `/v1/estuary/subscribe/${project.name}`;
    for (const estuaryId of ["bob", "alice2", "Alice", "alic"])
      expect(await statusOf(token, "POST", `${subscribe}/room-1`, { estuaryId })).toBe(403);
    for (const source of ["hall", "inbox", "missing", "roo"])
      expect(await statusOf(token, "POST", `${subscribe}/${source}`, { estuaryId: "alice" })).toBe(403);
    expect(await statusOf(token, "DELETE", `/v1/estuary/${project.name}/alice`)).toBe(403);
    expect(await statusOf(token, "GET", streamPath("bob"))).toBe(403);
    expect(await statusOf(token, "GET", streamPath("hall"))).toBe(403);
    for (const method of ["POST", "PUT", "DELETE"])
      expect(await statusOf(token, method, streamPath("room-1"))).toBe(403);
  });

  it("of several sources joins those that it may read, and says which it may not", async () => {
    const path = `/v1/estuary/${project.name}/alice/subscriptions`;
    const body = { sources: ["room-1", "hall"] };
    const response = await service.fetch(path, withToken("POST", await tokenOf(ALICE), body));
    const { results } = await response.json<{ results: { source: string; problem?: { code: string } }[] }>();
    expect(results.map(({ source, problem }) => [source, problem?.code])).toEqual([
      ["room-1", undefined],
      ["hall", "forbidden"],
    ]);
  });

  it("[PJ6] lists nothing of the project, and manages nothing, whatever it may do with streams", async () => {
    const token = await tokenOf([{ streams: "*", scope: "manage" }]);
    expect(await statusOf(token, "GET", streamPath("hall"))).toBe(200);
    for (const path of ["", "/streams"])
      expect(await statusOf(token, "GET", `/v1/projects/${project.name}${path}`)).toBe(403);
    expect(await statusOf(token, "GET", streamPath("__registry__"))).toBe(403);
    expect(await statusOf(token, "GET", streamPath("__ds/subscriptions"))).toBe(403);
  });

  it("[IN16] is good in the header only, and only in this project", async () => {
    const token = await tokenOf([{ streams: "room-*", scope: "read" }]);
    expect((await service.fetch(`${streamPath("room-1")}?token=${token}`)).status).toBe(401);
    const other = await newProject(service);
    expect(await statusOf(token, "GET", `/v1/stream/${other.name}/room-1`)).toBe(401);
  });

  it("says after its signature was checked what is wrong with its rights", async () => {
    const response = await service.fetch(streamPath("room-1"), withToken("GET", await tokenOf([])));
    expect(await problemCode(response.clone())).toBe("unauthenticated");
    expect((await response.json<{ detail: string }>()).detail).toContain("rights must be");
  });
});

it("the project's own issuer signs tokens with several rights, too", async () => {
  const pair = await generateKeyPair("ES256", { extractable: true });
  vi.spyOn(globalThis, "fetch").mockImplementation(async () =>
    Response.json({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: "k", alg: "ES256" }] }),
  );
  const sign = (rights: unknown): Promise<string> =>
    new SignJWT({ sub: project.name, iss: ISSUER, rights, exp: Math.floor(Date.now() / 1000) + 60 })
      .setProtectedHeader({ alg: "ES256", kid: "k" })
      .sign(pair.privateKey);
  const token = await sign(ALICE);
  expect(await statusOf(token, "GET", streamPath("room-1"))).toBe(200);
  expect(await statusOf(token, "GET", streamPath("hall"))).toBe(403);
  expect(await statusOf(await sign([{ streams: "room-*" }]), "GET", streamPath("room-1"))).toBe(401);
});
