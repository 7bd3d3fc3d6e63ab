/** The protocol's subscriptions over HTTP, in workerd: who may do what, real keys, and objects that die. */
import { abortAllDurableObjects } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";

import { asAdmin, newProject, newService, newToken, withToken, type TestProject } from "./projects.ts";
import { WALKED } from "./routes.ts";

const HOOK = "https://worker.shop.com/hooks";

const service = newService();
let project: TestProject;
let manager = "";
let names = 0;

beforeAll(async () => {
  project = await newProject(service, { publicStreams: ["*"] });
  manager = await newToken(project);
});

afterEach(() => void vi.restoreAllMocks());

function newName(prefix: string): string {
  names += 1;
  return `${prefix}-${names}`;
}

function control(method: string, path: string, body?: unknown, token = manager): Promise<Response> {
  return service.fetch(`/v1/stream/${project.name}/__ds/${path}`, withToken(method, token, body));
}

async function newStream(prefix = "stream"): Promise<string> {
  const name = newName(prefix);
  const headers = { Authorization: `Bearer ${manager}`, "Content-Type": "application/json" };
  const response = await service.fetch(`/v1/stream/${project.name}/${name}`, { method: "PUT", headers });
  expect(response.status).toBe(201);
  return name;
}

async function append(stream: string): Promise<string> {
  const headers = { Authorization: `Bearer ${manager}`, "Content-Type": "application/json" };
  const init = { method: "POST", headers, body: '{"event":1}' };
  const response = await service.fetch(`/v1/stream/${project.name}/${stream}`, init);
  return response.headers.get("Stream-Next-Offset") ?? "";
}

interface Claim {
  readonly wake_id: string;
  readonly generation: number;
  readonly token: string;
}

async function newPullWake(streams: readonly string[]): Promise<string> {
  const id = newName("sub");
  const body = { type: "pull-wake", streams, wake_stream: await newStream("wake") };
  expect((await control("PUT", `subscriptions/${id}`, body)).status).toBe(201);
  return id;
}

/** A subscription by webhook, and its stream, which has just grown. */
async function newWebhook(): Promise<string> {
  const [id, stream] = [newName("hook"), await newStream()];
  await control("PUT", `subscriptions/${id}`, { type: "webhook", streams: [stream], webhook: { url: HOOK } });
  await append(stream);
  return id;
}

async function claimOf(id: string): Promise<Claim> {
  const claimed = await control("POST", `subscriptions/${id}/claim`, { worker: "w" });
  expect(claimed.status).toBe(200);
  return claimed.json<Claim>();
}

async function errorOf(response: Response): Promise<unknown> {
  return [response.status, (await response.json<{ error: { code: string } }>()).error.code];
}

describe("who may do what", () => {
  it("[SC1] every route needs a scope, the token of a wake, or nothing; only the public keys need nothing", () => {
    const control = WALKED.filter(({ path }) => path.startsWith("/v1/stream/:project/__ds/"));
    const open = control.filter(({ needs }) => needs === "nothing");
    expect(open.map(({ title }) => title)).toEqual(["GET /v1/stream/:project/__ds/jwks.json"]);
    const byWake = control.filter(({ needs }) => needs === "wake");
    expect(byWake.map(({ path }) => path.split("/").at(-1))).toEqual(["callback", "ack", "release"]);
  });

  it("[WK13] a project's token is not a wake's token, and a wake's token is not a project's", async () => {
    const stream = await newStream();
    const id = await newPullWake([stream]);
    await append(stream);
    const { token, ...wake } = await claimOf(id);
    for (const action of ["ack", "release"]) {
      expect(await errorOf(await control("POST", `subscriptions/${id}/${action}`, wake))).toEqual([
        401,
        "TOKEN_INVALID",
      ]);
    }
    expect((await control("GET", `subscriptions/${id}`, undefined, token)).status).toBe(401);
    expect((await control("POST", `subscriptions/${id}/ack`, wake, token)).status).toBe(200);
  });

  it("[WK13] a wake's token ends with the secret of the project that vouches for it", async () => {
    const own = await newProject(service);
    const token = await newToken(own);
    const call = (method: string, path: string, body?: unknown, bearer = token) =>
      service.fetch(`/v1/stream/${own.name}/${path}`, withToken(method, bearer, body));
    await call("PUT", "wake", []);
    await call("PUT", "s", [1]);
    await call("PUT", "__ds/subscriptions/x", { type: "pull-wake", streams: ["s"], wake_stream: "wake" });
    await call("POST", "s", [2]);
    const claim = await (await call("POST", "__ds/subscriptions/x/claim", { worker: "w" })).json<Claim>();
    const extend = { wake_id: claim.wake_id, generation: claim.generation };
    expect((await call("POST", "__ds/subscriptions/x/ack", extend, claim.token)).status).toBe(200);
    const secrets = `/v1/projects/${own.name}/secrets`;
    expect((await service.fetch(secrets, asAdmin("POST", {}))).status).toBe(201);
    expect((await call("POST", "__ds/subscriptions/x/ack", extend, claim.token)).status).toBe(200);
    expect((await service.fetch(`${secrets}/${own.kid}`, asAdmin("DELETE"))).status).toBe(200);
    expect((await call("POST", "__ds/subscriptions/x/ack", extend, claim.token)).status).toBe(401);
  });

  it("[WK9] without any token a wake cannot be acknowledged", async () => {
    const path = `/v1/stream/${project.name}/__ds/subscriptions/x/ack`;
    expect(await errorOf(await service.fetch(path, { method: "POST", body: "{}" }))).toEqual([401, "TOKEN_INVALID"]);
  });

  it("public streams make no subscription public", async () => {
    const id = await newPullWake([await newStream()]);
    for (const path of ["subscriptions", `subscriptions/${id}`, `subscriptions/${id}/deliveries`]) {
      expect((await service.fetch(`/v1/stream/${project.name}/__ds/${path}`)).status).toBe(401);
    }
  });

  it("[WK13] a wake's token of one project is invalid for another project's subscription of the same name", async () => {
    const stream = await newStream();
    const id = await newPullWake([stream]);
    await append(stream);
    const { token, ...wake } = await claimOf(id);
    const other = await newProject(service);
    const path = `/v1/stream/${other.name}/__ds/subscriptions/${id}/ack`;
    expect(await errorOf(await service.fetch(path, withToken("POST", token, wake)))).toEqual([401, "TOKEN_INVALID"]);
  });
});

describe("keys", () => {
  it("[WH1] are public, for GET and HEAD alike, and cached for five minutes; asking makes none", async () => {
    const other = await newProject(service);
    for (const method of ["GET", "HEAD"]) {
      const response = await service.fetch(`/v1/stream/${other.name}/__ds/jwks.json`, { method });
      expect([response.status, response.headers.get("Content-Type")]).toEqual([200, "application/jwk-set+json"]);
      expect(response.headers.get("Cache-Control")).toBe("public, max-age=300");
      expect(response.headers.get("X-Content-Type-Options")).toBe("nosniff");
      expect(await response.text()).toBe(method === "GET" ? '{"keys":[]}' : "");
    }
  });

  it("[WH5] [WH3] [WH2] verify what is sent, also after a restart; so does a rotated one, while the new one signs", async () => {
    const sent: { signature: string; body: Uint8Array<ArrayBuffer> }[] = [];
    vi.spyOn(globalThis, "fetch").mockImplementation(async (_url, init) => {
      const signature = new Headers(init?.headers).get("Webhook-Signature") ?? "";
      sent.push({ signature, body: new Uint8Array(await new Response(init?.body).arrayBuffer()) });
      return Response.json({ done: true });
    });
    const stream = await newStream();
    const body = { type: "webhook", streams: [stream], webhook: { url: HOOK } };
    const created = await control("PUT", `subscriptions/${newName("hook")}`, body);
    const { webhook } = await created.json<{ webhook: { signing: { kid: string; jwks_url: string } } }>();
    await append(stream);
    await vi.waitFor(() => expect(sent).toHaveLength(1), { timeout: 10_000 });
    await abortAllDurableObjects();
    const rotated = await control("POST", "jwks/rotate");
    const { kid } = await rotated.json<{ kid: string }>();
    await append(stream);
    await vi.waitFor(() => expect(sent).toHaveLength(2), { timeout: 10_000 });
    const jwks = await service.fetch(new URL(webhook.signing.jwks_url).pathname);
    const { keys } = await jwks.json<{ keys: (JsonWebKey & { kid: string })[] }>();
    expect(keys.map((key) => key.kid)).toEqual([kid, webhook.signing.kid]);
    for (const [index, { signature, body: bytes }] of sent.entries()) {
      const [, t = "", signedBy, text = ""] = /^t=(\d+),kid=([^,]+),ed25519=([\w-]+)$/.exec(signature) ?? [];
      expect(signedBy).toBe(keys.at(1 - index)?.kid);
      const jwk: JsonWebKey = keys.find((key) => key.kid === signedBy) ?? { kty: "" };
      const key = await crypto.subtle.importKey("jwk", jwk, "Ed25519", false, ["verify"]);
      const signed = new Uint8Array([...new TextEncoder().encode(`${t}.`), ...bytes]);
      const raw = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
      expect(await crypto.subtle.verify("Ed25519", key, raw, signed)).toBe(true);
    }
  });
});

describe("a webhook", () => {
  it("[WH11] is called without following redirects, and gets no credential but its own", async () => {
    const calls: RequestInit[] = [];
    vi.spyOn(globalThis, "fetch").mockImplementation(async (_url, init) => {
      calls.push(init ?? {});
      return new Response(null, { status: 302, headers: { Location: "http://169.254.169.254/" } });
    });
    const id = await newWebhook();
    await vi.waitFor(async () => {
      const described = await (await control("GET", `subscriptions/${id}`)).json<{ status: string }>();
      expect(described.status).toBe("failed");
    }, 10_000);
    expect(calls.every(({ redirect }) => redirect === "manual")).toBe(true);
    const names = ["Content-Type", "Webhook-Signature", "traceparent"];
    expect(Object.keys(calls[0]?.headers ?? {}).toSorted()).toEqual(names);
    const report = await (await control("GET", `subscriptions/${id}/deliveries`)).json<Record<string, unknown>>();
    expect(report).toMatchObject({ attempts: [{ status: 302, generation: 1 }], next_attempt_at: expect.any(String) });
    await control("DELETE", `subscriptions/${id}`);
  });

  it("[WH11] may answer as much as it likes: only a little of it is read", async () => {
    let pulled = 0;
    vi.spyOn(globalThis, "fetch").mockImplementation(async () => {
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
        pulled += 1;
        controller.enqueue(new Uint8Array(16 * 1024));
      };
      return new Response(new ReadableStream({ pull }));
    });
    const id = await newWebhook();
    await vi.waitFor(async () => {
      const report = await (await control("GET", `subscriptions/${id}/deliveries`)).json<{ attempts: unknown[] }>();
      expect(report.attempts).toMatchObject([{ status: 200, error: null }]);
    }, 10_000);
    expect(pulled).toBeLessThan(10);
    await control("DELETE", `subscriptions/${id}`);
  });
});

it("[WH13] where a project demands it, a webhook's URL proves itself by a challenge before it is sent any wake", async () => {
  const strict = await newProject(service, { webhookChallenge: true });
  const token = await newToken(strict);
  const call = (method: string, path: string, body?: unknown) =>
    service.fetch(`/v1/stream/${strict.name}/${path}`, withToken(method, token, body));
  let isWilling = false;
  const wakes: unknown[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (_url, init) => {
    const body = await new Response(init?.body).json<{ type?: string; challenge?: string }>();
    if (body.type === "webhook.challenge") return Response.json(isWilling ? { challenge: body.challenge } : {});
    wakes.push(body);
    return Response.json({ done: true });
  });
  await call("PUT", "a", []);
  const made = await call("PUT", "__ds/subscriptions/s", { type: "webhook", streams: ["a"], webhook: { url: HOOK } });
  expect(await made.json()).toMatchObject({ webhook: { verification: { status: "pending" } } });
  await call("POST", "a", [1]);
  const verification = async (): Promise<unknown> => {
    const described = await call("GET", "__ds/subscriptions/s");
    return (await described.json<{ webhook: { verification: unknown } }>()).webhook.verification;
  };
  await vi.waitFor(async () => {
    expect(await verification()).toMatchObject({ status: "pending", error: expect.any(String) as string });
  }, 10_000);
  expect(wakes).toEqual([]);
  isWilling = true;
  await vi.waitFor(async () => {
    expect(await verification()).toEqual({ status: "verified", next_attempt_at: null, error: null });
    expect(wakes).toHaveLength(1);
  }, 20_000);
});

it("[IN13] [IN18] [WK3] an append is followed by a wake, though every object dies right after it", async () => {
  const stream = await newStream();
  const id = await newPullWake([stream]);
  await append(stream);
  await abortAllDurableObjects();
  await vi.waitFor(async () => {
    const { wake_stream: wake } = await (await control("GET", `subscriptions/${id}`)).json<{ wake_stream: string }>();
    const events = await service.fetch(`/v1/stream/${project.name}/${wake}?offset=-1`);
    expect(await events.json()).toMatchObject([{ type: "wake", subscription_id: id, stream, generation: 1 }]);
  }, 20_000);
  expect((await claimOf(id)).generation).toBe(1);
});

describe("requests", () => {
  it("[SU11] name a stream with slashes, encoded or not", async () => {
    const id = await newPullWake(["a/b", "c/d", "e%f"]);
    for (const path of ["a%2Fb", "c/d", "e%25f"]) {
      expect((await control("DELETE", `subscriptions/${id}/streams/${path}`)).status).toBe(204);
    }
    expect(await (await control("GET", `subscriptions/${id}`)).json()).toMatchObject({ streams: [] });
  });

  it("[SU16] are answered with the specification's error besides the problem", async () => {
    const response = await control("GET", "subscriptions/missing");
    expect([response.status, response.headers.get("Content-Type")]).toEqual([404, "application/json"]);
    expect(await response.json()).toMatchObject({
      code: "subscription-not-found",
      error: { code: "SUBSCRIPTION_NOT_FOUND", message: expect.any(String) },
    });
  });

  it.each<[method: string, path: string, body: string, status: number, code: string]>([
    ["PATCH", "subscriptions/x", "{}", 405, "METHOD_NOT_ALLOWED"],
    ["DELETE", "jwks.json", "", 405, "METHOD_NOT_ALLOWED"],
    ["GET", "subscriptions/x/claim", "", 405, "METHOD_NOT_ALLOWED"],
    ["GET", "nothing", "", 404, "ROUTE_NOT_FOUND"],
    ["GET", "subscriptions/x/y/z/a", "", 404, "ROUTE_NOT_FOUND"],
    ["PUT", "subscriptions/", "{}", 400, "INVALID_REQUEST"],
    ["PUT", `subscriptions/${"x".repeat(129)}`, "{}", 400, "INVALID_REQUEST"],
    ["PUT", "subscriptions/a%2Fb", "{}", 400, "INVALID_REQUEST"],
    ["PUT", "subscriptions/x", "{", 400, "INVALID_REQUEST"],
    ["PUT", "subscriptions/x", "[]", 400, "INVALID_REQUEST"],
    [
      "PUT",
      "subscriptions/x",
      '{"type":"webhook","pattern":"*","webhook":{"url":"http://10.0.0.1/"}}',
      400,
      "WEBHOOK_URL_REJECTED",
    ],
    [
      "PUT",
      "subscriptions/x",
      `{"type":"webhook","pattern":"*","webhook":{"url":"https://streams.example/x"}}`,
      400,
      "WEBHOOK_URL_REJECTED",
    ],
    ["POST", "subscriptions/x/streams", "{}", 400, "INVALID_REQUEST"],
    ["POST", "subscriptions/x/streams", '{"streams":[]}', 400, "INVALID_REQUEST"],
    ["DELETE", "subscriptions/x/streams/__ds%2Fy", "", 400, "INVALID_REQUEST"],
    ["POST", "subscriptions/x/claim", "{}", 400, "INVALID_REQUEST"],
  ])("[SU4] [SU16] %s %s %s: %i %s", async (method, path, body, status, code) => {
    const init = { method, headers: { Authorization: `Bearer ${manager}` }, ...(body === "" ? {} : { body }) };
    const response = await service.fetch(`/v1/stream/${project.name}/__ds/${path}`, init);
    expect(await errorOf(response)).toEqual([status, code]);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
  });

  it.each([
    ["ack", '{"wake_id":"w"}'],
    ["ack", '{"wake_id":"w","generation":1,"acks":{}}'],
    ["ack", '{"wake_id":"w","generation":1,"acks":[{"stream":"a"}]}'],
    ["callback", '{"wake_id":"w","generation":1,"done":1}'],
    ["release", '{"wake_id":"w","generation":0.5}'],
  ])("with a wake's token: %s %s: 400 INVALID_REQUEST", async (action, body) => {
    const stream = await newStream();
    const id = await newPullWake([stream]);
    await append(stream);
    const { token } = await claimOf(id);
    const init = { method: "POST", headers: { Authorization: `Bearer ${token}` }, body };
    const response = await service.fetch(`/v1/stream/${project.name}/__ds/subscriptions/${id}/${action}`, init);
    expect(await errorOf(response)).toEqual([400, "INVALID_REQUEST"]);
  });

  it("[SU2] [SU5] create with 201, repeat with 200, and get 409 for another configuration", async () => {
    const [id, stream] = [newName("sub"), await newStream()];
    const body = { type: "webhook", streams: [stream], webhook: { url: HOOK } };
    const created = await control("PUT", `subscriptions/${id}`, body);
    expect(created.status).toBe(201);
    expect(await created.json()).toMatchObject({ subscription_id: id, type: "webhook", lease_ttl_ms: 30_000 });
    expect((await control("PUT", `subscriptions/${id}`, body)).status).toBe(200);
    expect((await control("PUT", `subscriptions/${id}`, { ...body, lease_ttl_ms: 1_000 })).status).toBe(409);
  });

  it("[SU19] get what a subscription is, and where each of its streams stands", async () => {
    const [id, stream] = [newName("sub"), await newStream()];
    const tail = await append(stream);
    const body = {
      type: "webhook",
      pattern: `${stream}/*`,
      streams: [stream],
      webhook: { url: HOOK },
      description: "x",
    };
    await control("PUT", `subscriptions/${id}`, body);
    expect(await (await control("GET", `subscriptions/${id}`)).json()).toMatchObject({
      ...body,
      id,
      subscription_id: id,
      streams: [{ path: stream, link_type: "explicit", acked_offset: tail }],
      wake_stream: null,
      lease_ttl_ms: 30_000,
      created_at: expect.stringMatching(/^\d{4}-.*Z$/),
      status: "active",
    });
  });

  it("[WK5] claim a wake, and get its id, generation, token, lease and streams", async () => {
    const stream = await newStream();
    const id = await newPullWake([stream]);
    const tail = await append(stream);
    expect(await claimOf(id)).toEqual({
      wake_id: expect.stringMatching(/\S/),
      generation: 1,
      token: expect.stringMatching(/\S/),
      lease_ttl_ms: 30_000,
      streams: [
        {
          path: stream,
          link_type: "explicit",
          acked_offset: expect.stringMatching(/^\d{16}_\d{16}$/),
          tail_offset: tail,
          has_pending: true,
        },
      ],
    });
  });

  it("[WK4] get the holder of the lease", async () => {
    const stream = await newStream();
    const id = await newPullWake([stream]);
    await append(stream);
    await claimOf(id);
    const busy = await control("POST", `subscriptions/${id}/claim`, { worker: "other" });
    expect(await busy.json()).toMatchObject({ error: { code: "ALREADY_CLAIMED", current_holder: "w", generation: 1 } });
  });
});

it("[SU8] [SU9] a pattern links what exists, and soon what is made later; the list and the end of a project include it", async () => {
  const mine = await newProject(service);
  const token = await newToken(mine);
  const call = (method: string, path: string, body?: unknown) =>
    service.fetch(`/v1/stream/${mine.name}/${path}`, withToken(method, token, body));
  await call("PUT", "wake", []);
  await call("PUT", "e/1", [1]);
  const body = { type: "pull-wake", pattern: "e/*", wake_stream: "wake" };
  expect((await call("PUT", "__ds/subscriptions/s", body)).status).toBe(201);
  await call("PUT", "e/2", [2]);
  await vi.waitFor(async () => {
    const { streams } = await (await call("GET", "__ds/subscriptions/s")).json<{ streams: { path: string }[] }>();
    expect(streams.map(({ path }) => path).toSorted()).toEqual(["e/1", "e/2"]);
  }, 10_000);
  expect(await (await call("GET", "__ds/subscriptions")).json()).toMatchObject({
    subscriptions: [{ id: "s", type: "pull-wake", pattern: "e/*" }],
    cursor: null,
  });
  const claimed = await call("POST", "__ds/subscriptions/s/claim", { worker: "w" });
  const { streams } = await claimed.json<{ streams: { path: string; has_pending: boolean }[] }>();
  expect(streams.map((stream) => [stream.path, stream.has_pending])).toEqual([
    ["e/2", true],
    ["e/1", false],
  ]);
  await service.fetch(`/v1/projects/${mine.name}`, asAdmin("DELETE"));
  await vi.waitFor(async () => {
    const again = await env.CONSUMERS.getByName(`${mine.name}/s`).describe();
    expect(again).toMatchObject({ ok: false, problem: { code: "subscription-not-found" } });
  }, 20_000);
});
