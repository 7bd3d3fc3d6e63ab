/** Links over HTTP: who may see a session, what a link remembers, how it ends, and how an application joins again. */
import { beforeAll, describe, expect, it, vi } from "vitest";

import { problemCode } from "./edge.ts";
import { asAdmin, newProject, newService, newToken, notifyProject, withToken, type TestProject } from "./projects.ts";

const service = newService();
let project: TestProject;
let manager = "";
let names = 0;

beforeAll(async () => {
  project = await newProject(service, { publicStreams: ["open-*"] });
  manager = await newToken(project, { header: { kid: project.kid }, claims: { user: "ann" } });
});

function newName(prefix: string): string {
  names += 1;
  return `${prefix}-${names}`;
}

function withJson(method: string, token: string, body: unknown): RequestInit {
  const headers = new Headers({ Authorization: `Bearer ${token}`, "Content-Type": "application/json" });
  return { method, headers, body: body === undefined ? null : JSON.stringify(body) };
}

function stream(method: string, name: string, body?: unknown, token = manager): Promise<Response> {
  return service.fetch(`/v1/stream/${project.name}/${name}`, withJson(method, token, body));
}

async function newSource(prefix = "room"): Promise<string> {
  const source = newName(prefix);
  expect((await stream("PUT", source)).status).toBe(201);
  return source;
}

async function publish(source: string, message: unknown): Promise<string> {
  const response = await stream("POST", source, message);
  expect(response.status).toBe(204);
  return response.headers.get("Stream-Next-Offset") ?? "";
}

function call(method: string, path: string, body?: unknown, token = manager): Promise<Response> {
  return service.fetch(`/v1/estuary/${path}`, withToken(method, token, body));
}

function follow(source: string, body: object, token = manager): Promise<Response> {
  return call("POST", `subscribe/${project.name}/${source}`, body, token);
}

function join(session: string, body: object, token = manager): Promise<Response> {
  return call("POST", `${project.name}/${session}/subscriptions`, body, token);
}

function followersOf(source: string, query = "", token = manager): Promise<Response> {
  return call("GET", `subscribe/${project.name}/${source}${query}`, undefined, token);
}

function cutOff(source: string, query: string, token = manager): Promise<Response> {
  return call("DELETE", `subscribe/${project.name}/${source}?${query}`, undefined, token);
}

async function sessionsFollowing(source: string): Promise<string[]> {
  const { followers } = await (await followersOf(source)).json<{ followers: { estuaryId: string }[] }>();
  return followers.map(({ estuaryId }) => estuaryId);
}

function expectMessages(session: string, messages: readonly unknown[]): Promise<void> {
  return vi.waitFor(async () => expect(await (await stream("GET", `${session}?offset=-1`)).json()).toEqual(messages), {
    timeout: 20_000,
    interval: 50,
  });
}

describe("a session", () => {
  it("[SE4] is seen and touched by a bearer's right alone, also where its name is a public stream's", async () => {
    const [source, session] = [await newSource(), newName("open-session")];
    expect((await follow(source, { estuaryId: session })).status).toBe(200);
    const path = `/v1/estuary/${project.name}/${session}`;
    const { key } = await (
      await service.fetch(`/v1/projects/${project.name}/reader-keys`, withToken("POST", manager, { stream: session }))
    ).json<{ key: string }>();
    const { token } = await (
      await service.fetch(`/v1/projects/${project.name}/read-urls`, withToken("POST", manager, { stream: session }))
    ).json<{ token: string }>();
    for (const query of ["", `?key=${key}`, `?token=${token}`]) {
      expect((await service.fetch(path + query)).status).toBe(401);
      expect((await service.fetch(`${path}/touch${query}`, { method: "POST" })).status).toBe(401);
    }
    const readOnly = await newToken(project, { claims: { scope: "read", stream_id: session } });
    expect((await service.fetch(path, withToken("GET", readOnly))).status).toBe(200);
  });

  it.each(["__ds", "__registry__"])("is never called %s", async (estuaryId) => {
    expect(await problemCode(await follow("room", { estuaryId }))).toBe("subscription-invalid");
    expect(await problemCode(await join(estuaryId, { sources: ["room"] }))).toBe("subscription-invalid");
    expect(await problemCode(await call("GET", `${project.name}/${estuaryId}`))).toBe("subscription-invalid");
  });

  it("never follows what is below __ds", async () => {
    expect(await problemCode(await join("alice", { sources: ["__ds/subscriptions"] }))).toBe("subscription-invalid");
  });

  it("that the path names is asked about before anybody's body is read", async () => {
    const patient = newService({ BODY_TIMEOUT_SECONDS: "3600" });
    const body = new ReadableStream({ pull: () => new Promise(() => undefined) });
    const response = await patient.fetch(`/v1/estuary/${project.name}/alice/subscriptions`, { method: "POST", body });
    expect(response.status).toBe(401);
  });

  it("that the body names is read about in a small body", async () => {
    const response = await follow("room", { estuaryId: "alice", pad: "x".repeat(20_000) });
    expect(await problemCode(response)).toBe("body-too-large");
  });
});

describe("a link", () => {
  it("[SE7] is listed with the key and the user that made it, and its end, for those who manage the source", async () => {
    const source = await newSource("room/with/slashes");
    const sessions = [newName("s"), newName("s"), newName("s")];
    for (const estuaryId of sessions) {
      expect((await follow(source, { estuaryId, expiresInSeconds: 3_600 })).status).toBe(200);
    }
    const first = await (await followersOf(source, "?limit=2")).json<{ followers: object[]; cursor: string }>();
    expect(first).toMatchObject({
      source,
      followers: [{ estuaryId: sessions[0], format: "raw", kid: project.kid, user: "ann" }, { estuaryId: sessions[1] }],
      cursor: sessions[1],
    });
    expect(first.followers[0]).toHaveProperty("expiresAt", expect.stringMatching(/Z$/));
    const second = await (await followersOf(source, `?limit=2&cursor=${first.cursor}`)).json();
    expect(second).toMatchObject({ followers: [{ estuaryId: sessions[2] }], cursor: null });
    for (const claims of [{ scope: "read write" }, { scope: "manage", stream_id: "another" }]) {
      const weak = await newToken(project, { claims });
      expect((await followersOf(source, "", weak)).status).toBe(403);
      expect((await cutOff(source, `session=${sessions[0]}`, weak)).status).toBe(403);
    }
    expect(await sessionsFollowing(source)).toEqual(sessions);
  });

  it("[SE6] [SE7] is cut off by session, and says so in envelopes", async () => {
    const [source, session, other] = [await newSource(), newName("s"), newName("s")];
    for (const estuaryId of [session, other]) await follow(source, { estuaryId, format: "envelope" });
    expect(await (await cutOff(source, `session=${session}`)).json()).toEqual({ source, ended: 1 });
    await publish(source, 1);
    await expectMessages(other, [{ source, offset: expect.any(String) as string, data: [1] }]);
    await expectMessages(session, [{ source, offset: expect.any(String) as string, control: "revoked" }]);
    await vi.waitFor(
      async () => {
        const described = await (await call("GET", `${project.name}/${session}`)).json();
        expect(described).toMatchObject({ subscriptions: [] });
      },
      { timeout: 20_000, interval: 50 },
    );
    expect(await (await cutOff(source, `session=${session}`)).json()).toEqual({ source, ended: 0 });
  });

  it("is listed and cut off however busy the project is", async () => {
    const own = await newProject(service, { limits: { requestsPerMinute: 2 } });
    const token = await newToken(own);
    const path = `/v1/estuary/subscribe/${own.name}/room`;
    const body = { estuaryId: "tap", create: {} };
    const statuses: number[] = [];
    for (let requests = 0; requests < 4; requests += 1) {
      statuses.push((await service.fetch(path, withToken("POST", token, body))).status);
    }
    expect([statuses[0], statuses.at(-1)]).toEqual([200, 429]);
    expect((await service.fetch(path, withToken("GET", token))).status).toBe(200);
    expect(await (await service.fetch(`${path}?session=tap`, withToken("DELETE", token))).json()).toMatchObject({
      ended: 1,
    });
  });

  it.each(["", "kid=", "kid=a&user=b", "session=a&session=b"])("is not cut off by: %s", async (query) => {
    const response = await cutOff("room", `${query}&session=`);
    expect(await problemCode(response)).toBe("subscription-invalid");
  });

  it("[SE7] ends with the secret that it was made with where that is asked for, and that secret makes no other", async () => {
    const own = await newProject(service);
    const added = await service.fetch(`/v1/projects/${own.name}/secrets`, asAdmin("POST", {}));
    const { secret } = await added.json<{ secret: { kid: string; secret: string } }>();
    const [old, fresh] = [
      await newToken(own, { header: { kid: own.kid } }),
      await newToken({ name: own.name, ...secret }, { header: { kid: secret.kid } }),
    ];
    const ask = (method: string, path: string, token: string, body?: unknown): Promise<Response> => {
      return service.fetch(path, withJson(method, token, body));
    };
    const room = `/v1/stream/${own.name}/room`;
    const subscribe = `/v1/estuary/subscribe/${own.name}/room`;
    expect((await ask("PUT", room, fresh)).status).toBe(201);
    expect((await ask("POST", subscribe, old, { estuaryId: "tap" })).status).toBe(200);
    expect((await ask("POST", subscribe, fresh, { estuaryId: "friend" })).status).toBe(200);
    const path = `/v1/projects/${own.name}/secrets/${own.kid}?endLinks=true`;
    expect((await ask("DELETE", path, fresh)).status).toBe(200);
    await vi.waitFor(
      async () => {
        const { followers } = await (await ask("GET", subscribe, fresh)).json<{ followers: object[] }>();
        expect(followers).toMatchObject([{ estuaryId: "friend" }]);
      },
      { timeout: 20_000, interval: 50 },
    );
    expect((await ask("POST", room, fresh, 1)).status).toBe(204);
    const messagesOf = async (session: string): Promise<unknown> =>
      (await ask("GET", `/v1/stream/${own.name}/${session}?offset=-1`, fresh)).json();
    await vi.waitFor(async () => expect(await messagesOf("friend")).toEqual([1]), { timeout: 20_000, interval: 50 });
    expect(await messagesOf("tap")).toEqual([]);
  });

  it.each([
    { expiresInSeconds: 0 },
    { expiresInSeconds: 1.5 },
    { expiresInSeconds: "60" },
    { expiresInSeconds: 1e300 },
    { expiresAt: "tomorrow" },
    { expiresAt: "2001-01-01T00:00:00Z" },
    { expiresAt: "2031-01-01T00:00:00Z", expiresInSeconds: 60 },
    { create: true },
    { create: { contentType: "x" } },
    { create: { contentType: "text/plain", ttl: 5 } },
  ])("is not made with %j", async (more) => {
    expect(await problemCode(await follow("room", { estuaryId: "alice", ...more }))).toBe("subscription-invalid");
  });
});

describe("an application whose session has ended", () => {
  it("[SE13] joins again with the offset that it has of each source, in one call, as often as it likes", async () => {
    const [a, b, c] = [await newSource(), await newSource(), await newSource()];
    const offsets = [await publish(a, "a1"), await publish(b, "b1")];
    for (const source of [a, b, c]) await publish(source, `${source} later`);
    const session = newName("s");
    const body = { sources: [{ stream: a, from: offsets[0] }, { stream: b, from: offsets[1] }, c], format: "envelope" };
    for (let times = 0; times < 2; times += 1) {
      const { results } = await (await join(session, body)).json<{ results: { source: string; offset: string }[] }>();
      expect(results.map(({ source }) => source)).toEqual([a, b, c]);
      expect(results.slice(0, 2).map(({ offset }) => offset)).toEqual(offsets);
    }
    await vi.waitFor(
      async () => {
        const held = await (await stream("GET", `${session}?offset=-1`)).json<{ source: string; data: unknown }[]>();
        expect(held).toHaveLength(2);
        for (const source of [a, b])
          expect(held).toContainEqual(expect.objectContaining({ data: [`${source} later`] }));
      },
      { timeout: 20_000, interval: 50 },
    );
  });

  it.each([[[{ stream: 1 }]], [[{}]], [[{ stream: "a", from: 5 }]], [[{ stream: "a", from: "yesterday" }]], [[null]]])(
    "is refused sources that are none: %j",
    async (sources) => {
      expect(await problemCode(await join("alice", { sources }))).toBe("subscription-invalid");
    },
  );
});

describe("a source that does not exist", () => {
  it("[SE5] is made by the same call with the right to write it, once, and misses nothing", async () => {
    const [there, absent, session] = [await newSource(), newName("room"), newName("s")];
    const body = { sources: [there, absent], create: { contentType: "application/json" } };
    for (let times = 0; times < 2; times += 1) {
      const { results } = await (await join(session, body)).json<{ results: object[] }>();
      expect(results).toMatchObject([{ source: there }, { source: absent, offset: expect.any(String) as string }]);
    }
    await publish(absent, "first");
    await expectMessages(session, ["first"]);
  });

  it("is made by a call for one source, too, and a raw session has its type", async () => {
    const [absent, session] = [newName("room"), newName("s")];
    const response = await follow(absent, { estuaryId: session, create: { contentType: "application/json" } });
    expect(await response.json()).toMatchObject({ source: absent, contentType: "application/json" });
    await publish(absent, "first");
    await expectMessages(session, ["first"]);
  });

  it("[SE5] is not made without the right to write it, nor where nobody asks for it", async () => {
    const [there, absent, session] = [await newSource(), newName("room"), newName("s")];
    const rights = [
      { session, scope: "write" },
      { streams: "room-*", scope: "read" },
    ];
    const token = await newToken(project, { claims: { scope: undefined, rights } });
    const refused = await join(session, { sources: [there, absent], create: {} }, token);
    expect(await refused.json()).toMatchObject({
      results: [{ source: there }, { source: absent, problem: { code: "forbidden" } }],
    });
    const missing = await join(session, { sources: [absent] });
    expect(await missing.json()).toMatchObject({
      results: [{ source: absent, problem: { code: "stream-not-found" } }],
    });
    expect((await stream("HEAD", absent)).status).toBe(404);
  });

  it("is made within the project's limit of streams alone", async () => {
    const own = await newProject(service, { limits: { streams: 2 } });
    const token = await newToken(own);
    const ask = (sources: readonly string[]): Promise<Response> => {
      const body = { sources, create: {}, format: "envelope" };
      return service.fetch(`/v1/estuary/${own.name}/alice/subscriptions`, withToken("POST", token, body));
    };
    expect((await ask(["one"])).status).toBe(200);
    for (const name of ["alice", "one"]) await notifyProject(`/v1/stream/${own.name}/${name}`);
    expect(await (await ask(["one", "two"])).json()).toMatchObject({
      results: [{ source: "one" }, { source: "two", problem: { code: "project-full" } }],
    });
  });
});

describe("what is made on the way", () => {
  it("is never the session's own name, which would then be an ordinary stream's", async () => {
    const session = newName("session");
    const refused = await follow(session, { estuaryId: session, create: { contentType: "application/json" } });
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect((await stream("HEAD", session)).status).toBe(404);
    const source = await newSource();
    expect((await follow(source, { estuaryId: session })).status).toBe(200);
  });

  it("is never the stream that the server alone writes", async () => {
    const other = await newProject(service);
    const token = await newToken(other);
    const body = { estuaryId: newName("session"), create: { contentType: "application/json" } };
    const path = `/v1/estuary/subscribe/${other.name}/__registry__`;
    expect((await service.fetch(path, withToken("POST", token, body))).status).toBe(404);
    const registry = await service.fetch(`/v1/stream/${other.name}/__registry__`, withToken("HEAD", token, undefined));
    expect(registry.status).toBe(404);
  });
});

it("whoever manages one source uses up nothing of what the project's managers may do", async () => {
  const limited = await newProject(service, { limits: { requestsPerMinute: 1 } });
  const owner = await newToken(limited);
  const guest = await newToken(limited, { claims: { scope: "manage", stream_id: "room" } });
  const list = () => service.fetch(`/v1/estuary/subscribe/${limited.name}/room`, withToken("GET", guest, undefined));
  const statuses = new Set<number>();
  for (let asked = 0; asked < 200 && !statuses.has(429); asked += 1) statuses.add((await list()).status);
  expect([...statuses]).toContain(429);
  const described = await service.fetch(`/v1/projects/${limited.name}`, withToken("GET", owner, undefined));
  expect(described.status).toBe(200);
});
