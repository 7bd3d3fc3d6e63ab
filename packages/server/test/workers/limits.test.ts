import type { ProjectLimits } from "@durable-streams-cloudflare/core/contracts/project-record";
import { BINDING_UNITS, type RateLimiter } from "@durable-streams-cloudflare/http/limits/rate-limit";
/** What a project may use: in a minute, and of streams. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";

import { ProjectDO } from "../../src/index.ts";
import { problemCode } from "./edge.ts";
import {
  asAdmin,
  newProject,
  newProjectStream,
  newService,
  newToken,
  notifyProject,
  withToken,
  type TestProject,
} from "./projects.ts";

/** The binding as its documentation has it: the simulation on this machine knows no `delta`. */
class FakeLimiter implements RateLimiter {
  readonly #counts = new Map<string, number>();
  asked = 0;

  async limit({ key, delta = 1 }: { key: string; delta?: number }): Promise<{ success: boolean }> {
    this.asked += 1;
    const count = this.#counts.get(key) ?? 0;
    if (count >= BINDING_UNITS) return { success: false };
    this.#counts.set(key, count + delta);
    return { success: true };
  }
}

const limiter = new FakeLimiter();
const service = newService({ RATE_LIMITER: limiter });

afterEach(() => {
  vi.restoreAllMocks();
});

async function limit(project: TestProject, limits: ProjectLimits) {
  const response = await service.fetch(`/v1/projects/${project.name}`, asAdmin("PATCH", { limits }));
  expect(response.status).toBe(200);
}

async function append(path: string, token: string, body: string): Promise<Response> {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "text/plain" };
  return service.fetch(path, { method: "POST", headers, body });
}

async function content(path: string, token: string): Promise<string> {
  return (await service.fetch(path, withToken("GET", token))).text();
}

it("[SC8] [PJ10] requests above the limit are 429, say when to come back, and reach no stream; other projects go on", async () => {
  const project = await newProject(service);
  const other = await newProject(service);
  const path = await newProjectStream(service, project);
  const token = await newToken(project);
  await limit(project, { requestsPerMinute: 3, appendBytesPerMinute: null });
  const statuses: number[] = [];
  for (let count = 0; count < 5; count += 1) {
    const response = await service.fetch(path, withToken("GET", token));
    statuses.push(response.status);
    await response.text();
  }
  expect(statuses).toEqual([200, 200, 200, 429, 429]);
  const refused = await append(path, token, "x");
  expect(Object.fromEntries(refused.headers)).toMatchObject({
    "retry-after": "10",
    ratelimit: '"requestsPerMinute";r=0;t=10',
    "ratelimit-policy": '"requestsPerMinute";q=3;w=60',
    "cache-control": "no-store",
  });
  expect(await problemCode(refused)).toBe("rate-limited");
  const elsewhere = await newProjectStream(service, other);
  expect(await content(elsewhere, await newToken(other))).toBe("hello");
  await limit(project, { requestsPerMinute: null, appendBytesPerMinute: null });
  expect(await content(path, token)).toBe("hello");
});

it("bytes of appends are counted as they are read, whatever the headers say, and those of creations, too", async () => {
  const project = await newProject(service);
  const path = await newProjectStream(service, project, "");
  const token = await newToken(project);
  await limit(project, { requestsPerMinute: null, appendBytesPerMinute: 10 });
  expect((await append(path, token, "12345")).status).toBe(204);
  expect((await append(path, token, "67890")).status).toBe(204);
  expect((await append(path, token, "x")).status).toBe(429);
  const creation = {
    method: "PUT",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "text/plain" },
    body: "x",
  };
  expect((await service.fetch(`${path}-new`, creation)).status).toBe(429);
  expect(await content(path, token)).toBe("1234567890");
  const close = { method: "POST", headers: { Authorization: `Bearer ${token}`, "Stream-Closed": "true" } };
  expect((await service.fetch(path, close)).status).toBe(204);
});

it("a project without limits asks nobody", async () => {
  const before = limiter.asked;
  const path = await newProjectStream(service, await newProject(service));
  expect((await service.fetch(path)).status).toBe(401);
  expect(limiter.asked).toBe(before);
});

it.each<[string, RateLimiter | undefined]>([
  ["is missing", undefined],
  ["fails", { limit: () => Promise.reject(new Error("The limiter is down.")) }],
  ["refuses weights, as on this machine", env.RATE_LIMITER],
  ["passes weights over", { limit: async () => ({ success: true }) }],
])("where the binding %s, the isolate counts by itself", async (_what, binding) => {
  const alone = newService({ RATE_LIMITER: binding });
  const project = await newProject(alone, { limits: { requestsPerMinute: 3 } });
  const path = await newProjectStream(alone, project);
  const token = await newToken(project);
  const statuses: number[] = [];
  for (let count = 0; count < 3; count += 1) {
    const response = await alone.fetch(path, withToken("GET", token));
    statuses.push(response.status);
    await response.text();
  }
  expect(statuses).toEqual([200, 200, 429]);
});

it("calls to estuaries count, each source of one, and so does reading from /v1/projects", async () => {
  const project = await newProject(service, { limits: { requestsPerMinute: 5 } });
  const token = await newToken(project);
  const describe = (): Promise<Response> =>
    service.fetch(`/v1/projects/${project.name}/streams`, withToken("GET", token));
  const session = `/v1/estuary/${project.name}/session/subscriptions`;
  const sources = ["a", "b", "c", "d"];
  expect((await service.fetch(session, withToken("POST", token, { sources, format: "envelope" }))).status).toBe(200);
  expect((await describe()).status).toBe(200);
  const refused = [
    await describe(),
    await service.fetch(session, withToken("POST", token, { sources: ["a"] })),
    await service.fetch(`/v1/estuary/${project.name}/session`, withToken("DELETE", token)),
  ];
  for (const response of refused) expect([response.status, await problemCode(response)]).toEqual([429, "rate-limited"]);
  expect((await service.fetch(`/v1/projects/${project.name}`, asAdmin("GET"))).status).toBe(200);
});

describe("what readers use up is not the owner's", () => {
  it.each<[string, ProjectLimits, number]>([
    ["as many as the project's own", { requestsPerMinute: 4 }, 4],
    ["a number of their own", { requestsPerMinute: 4, publicRequestsPerMinute: 2 }, 2],
    ["a number, though the project has none", { publicRequestsPerMinute: 3 }, 3],
  ])("public streams, read URLs and reader keys have %s", async (_what, limits, times) => {
    const project = await newProject(service, { limits, publicStreams: ["s-*"] });
    const [open, token] = [await newProjectStream(service, project), await newToken(project)];
    const hidden = `/v1/stream/${project.name}/hidden`;
    const init = { method: "PUT", headers: { Authorization: `Bearer ${token}`, "Content-Type": "text/plain" } };
    expect((await service.fetch(hidden, init)).status).toBe(201);
    const make = async (what: string) => {
      const body = { stream: "hidden" };
      const made = await service.fetch(`/v1/projects/${project.name}/${what}`, withToken("POST", token, body));
      return made.json<{ token: string; key: string }>();
    };
    const urls = [
      open,
      `${hidden}?token=${(await make("read-urls")).token}`,
      `${hidden}?key=${(await make("reader-keys")).key}`,
    ];
    const statuses: number[] = [];
    for (let index = 0; index <= times; index += 1)
      statuses.push((await service.fetch(urls[index % 3] ?? open)).status);
    expect(statuses).toEqual([...Array<number>(times).fill(200), 429]);
    expect((await append(open, token, "x")).status).toBe(204);
    expect((await service.fetch(open, withToken("GET", token))).status).toBe(200);
    expect((await service.fetch(open, withToken("GET", `${token}x`))).status).toBe(429);
    const policy = (await service.fetch(open)).headers.get("RateLimit-Policy");
    expect(policy).toBe(`"publicRequestsPerMinute";q=${times};w=60`);
  });

  it("a manager can act when all requests of the project are used up, also by its own tokens", async () => {
    const project = await newProject(service, { limits: { requestsPerMinute: 1 } });
    const [path, token] = [await newProjectStream(service, project), await newToken(project)];
    expect((await append(path, token, "x")).status).toBe(429);
    const url = `/v1/projects/${project.name}`;
    const added = await service.fetch(`${url}/secrets`, withToken("POST", token, {}));
    expect(added.status).toBe(201);
    expect((await service.fetch(`${url}/secrets/${project.kid}`, withToken("DELETE", token))).status).toBe(200);
  });

  it("a manager has a reserve, and not everything", async () => {
    const project = await newProject(service, { limits: { requestsPerMinute: 1 } });
    const token = await newToken(project);
    const describe = () => service.fetch(`/v1/projects/${project.name}`, withToken("GET", token));
    for (let index = 0; index < 60; index += 1) expect((await describe()).status).toBe(200);
    expect((await describe()).status).toBe(429);
  });
});

it("a project's own manager does not raise its limits", async () => {
  const project = await newProject(service);
  const body = { limits: { requestsPerMinute: null, appendBytesPerMinute: null } };
  const response = await service.fetch(
    `/v1/projects/${project.name}`,
    withToken("PATCH", await newToken(project), body),
  );
  expect([response.status, await problemCode(response)]).toEqual([403, "forbidden"]);
});

describe("limits of each stream", () => {
  it.each<[string, ProjectLimits, string]>([
    ["appends", { streamAppendsPerMinute: 2 }, "two"],
    ["bytes", { streamAppendBytesPerMinute: 6 }, "two"],
  ])("[PJ10] count its %s, and nobody else's; reads and closing go on", async (_what, limits, body) => {
    const project = await newProject(service, { limits });
    const [path, other] = [await newProjectStream(service, project, ""), await newProjectStream(service, project, "")];
    const token = await newToken(project);
    for (let count = 0; count < 2; count += 1) expect((await append(path, token, body)).status).toBe(204);
    const refused = await append(path, token, body);
    expect([refused.status, await problemCode(refused)]).toEqual([429, "rate-limited"]);
    const [[name, perMinute] = []] = Object.entries(limits);
    expect(refused.headers.get("RateLimit-Policy")).toBe(`"${name}";q=${perMinute};w=60`);
    expect(refused.headers.get("RateLimit")).toBe(`"${name}";r=0;t=10`);
    expect((await append(other, token, body)).status).toBe(204);
    expect(await content(path, token)).toBe(body + body);
    const close = { method: "POST", headers: { Authorization: `Bearer ${token}`, "Stream-Closed": "true" } };
    expect((await service.fetch(path, close)).status).toBe(204);
  });
});

describe("a limit of streams", () => {
  const create = (path: string, token: string): Promise<Response> =>
    service.fetch(path, {
      method: "PUT",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "text/plain" },
    });

  async function setUp() {
    const project = await newProject(service, { limits: { streams: 2 } });
    const paths = [await newProjectStream(service, project), await newProjectStream(service, project)] as const;
    for (const path of paths) await notifyProject(path);
    return { project, paths, token: await newToken(project) };
  }

  it("[PJ10] refuses one more, forks too, until one is deleted; the others go on", async () => {
    const { paths, token } = await setUp();
    const refused = await create(`${paths[0]}-more`, token);
    expect([refused.status, await problemCode(refused)]).toEqual([403, "project-full"]);
    const headers = { Authorization: `Bearer ${token}`, "Stream-Forked-From": paths[0] };
    expect((await service.fetch(`${paths[0]}-fork`, { method: "PUT", headers })).status).toBe(403);
    expect((await service.fetch(`${paths[0]}-more`, withToken("GET", token))).status).toBe(404);
    expect((await append(paths[0], token, "x")).status).toBe(204);
    await service.fetch(paths[1], withToken("DELETE", token));
    await notifyProject(paths[1]);
    expect((await create(`${paths[0]}-more`, token)).status).toBe(201);
  });

  it("refuses one more session, and none that is there", async () => {
    const { project, paths, token } = await setUp();
    const subscribe = (estuaryId: string): Promise<Response> => {
      const source = paths[0].slice("/v1/stream/".length);
      return service.fetch(`/v1/estuary/subscribe/${source}`, withToken("POST", token, { estuaryId }));
    };
    await limit(project, { streams: 3 });
    expect((await subscribe("one")).status).toBe(200);
    await notifyProject(`/v1/stream/${project.name}/one`);
    const refused = await subscribe("two");
    expect([refused.status, await problemCode(refused)]).toEqual([403, "project-full"]);
    expect((await subscribe("one")).status).toBe(200);
    expect((await service.fetch(`/v1/stream/${project.name}/two`, withToken("GET", token))).status).toBe(404);
  });

  it("does not refuse what is there already: a client may create it again", async () => {
    const { paths, token } = await setUp();
    expect((await create(paths[0], token)).status).toBe(200);
    const json = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    expect((await service.fetch(paths[0], { method: "PUT", headers: json })).status).toBe(409);
  });

  it("refuses nothing while the directory is down, and asks it nothing where there is no limit", async () => {
    const { paths, token } = await setUp();
    const counters = vi.spyOn(ProjectDO.prototype, "counters").mockRejectedValue(new Error("The directory is down."));
    expect((await create(`${paths[0]}-more`, token)).status).toBe(201);
    expect(counters).toHaveBeenCalledOnce();
    await newProjectStream(service, await newProject(service));
    expect(counters).toHaveBeenCalledOnce();
  });
});

describe("a limit of bytes", () => {
  const full = async (response: Response) => [response.status, await problemCode(response)];
  const put = (path: string, token: string, body: string): Promise<Response> => {
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "text/plain" };
    return service.fetch(path, { method: "PUT", headers, body });
  };

  it("[PJ10] refuses appends and creations that would be beyond it, of old streams too, and says what they store", async () => {
    const project = await newProject(service);
    const path = await newProjectStream(service, project, "12345");
    const token = await newToken(project);
    await notifyProject(path);
    await limit(project, { storedBytes: 10 });
    expect((await append(path, token, "67890")).status).toBe(204);
    const refused = await append(path, token, "x");
    expect(refused.headers.get("Retry-After")).toBe("60");
    expect(await full(refused)).toEqual([507, "project-storage-full"]);
    expect(await full(await put(`${path}-more`, token, "x"))).toEqual([507, "project-storage-full"]);
    expect((await put(path, token, "")).status).toBe(200);
    expect((await put(`${path}-empty`, token, "")).status).toBe(201);
    expect(await content(path, token)).toBe("1234567890");
    const listed = await service.fetch(`/v1/projects/${project.name}/streams`, withToken("GET", token));
    expect(await listed.json()).toMatchObject({ counters: { bytes: 10 } });
    await service.fetch(path, withToken("DELETE", token));
    await notifyProject(path);
    expect((await put(`${path}-more`, token, "x")).status).toBe(201);
  });

  it("delays what estuaries deliver into sessions, and none of it is lost", async () => {
    const project = await newProject(service, { limits: { storedBytes: 15 } });
    const path = await newProjectStream(service, project, "");
    const token = await newToken(project);
    const session = `/v1/stream/${project.name}/session`;
    const source = path.slice("/v1/stream/".length);
    const subscribe = withToken("POST", token, { estuaryId: "session" });
    expect((await service.fetch(`/v1/estuary/subscribe/${source}`, subscribe)).status).toBe(200);
    for (const each of [path, session]) await notifyProject(each);
    const note = vi.spyOn(ProjectDO.prototype, "note");
    expect((await append(path, token, "12345678")).status).toBe(204);
    const asked = expect.objectContaining({ stream: "session", wanted: 8 });
    await vi.waitFor(() => expect(note).toHaveBeenCalledWith(asked), { timeout: 10_000 });
    expect(await content(session, token)).toBe("");
    await limit(project, { storedBytes: 16 });
    await vi.waitFor(async () => expect(await content(session, token)).toBe("12345678"), { timeout: 20_000 });
  });

  it("costs an append no call where there is none", async () => {
    const project = await newProject(service);
    const path = await newProjectStream(service, project);
    await notifyProject(path);
    const calls = vi.spyOn(ProjectDO.prototype, "note");
    const token = await newToken(project);
    for (let count = 0; count < 5; count += 1) expect((await append(path, token, "x")).status).toBe(204);
    expect(calls).not.toHaveBeenCalled();
  });
});

describe("a limit of live readers", () => {
  it("[PJ10] counts those of all streams; one more is asked to come back, and reads that do not wait go on", async () => {
    const project = await newProject(service, { limits: { liveReaders: 1 } });
    const [path, other] = [await newProjectStream(service, project), await newProjectStream(service, project)];
    const token = await newToken(project);
    const events = await service.fetch(`${path}?offset=now&live=sse`, withToken("GET", token));
    expect(events.status).toBe(200);
    for (const live of ["sse", "long-poll"]) {
      const refused = await service.fetch(`${other}?offset=now&live=${live}`, withToken("GET", token));
      expect([refused.status, refused.headers.get("Retry-After")]).toEqual([503, "5"]);
      expect(await problemCode(refused)).toBe("project-readers-full");
      expect((await service.fetch(`${other}?offset=-1&live=long-poll`, withToken("GET", token))).status).toBe(200);
    }
    await events.body?.cancel();
  });

  it("is counted apart for public streams: strangers who wait keep no owner from waiting", async () => {
    const project = await newProject(service, { limits: { liveReaders: 1 }, publicStreams: ["*"] });
    const path = await newProjectStream(service, project);
    const token = await newToken(project);
    const stranger = await service.fetch(`${path}?offset=now&live=sse`);
    expect(stranger.status).toBe(200);
    const refused = await service.fetch(`${path}?offset=now&live=sse`);
    expect([refused.status, await problemCode(refused)]).toEqual([503, "project-readers-full"]);
    const owner = await service.fetch(`${path}?offset=now&live=sse`, withToken("GET", token));
    expect(owner.status).toBe(200);
    const another = await service.fetch(`${path}?offset=now&live=sse`, withToken("GET", token));
    expect([another.status, await problemCode(another)]).toEqual([503, "project-readers-full"]);
    for (const { body } of [stranger, owner]) await body?.cancel();
  });

  it("costs a live read no call where there is none", async () => {
    const project = await newProject(service, { limits: { streams: 5 } });
    const path = await newProjectStream(service, project);
    const asked = vi.spyOn(ProjectDO.prototype, "allowReaders");
    const live = await service.fetch(`${path}?offset=now&live=long-poll`, withToken("GET", await newToken(project)));
    expect(live.status).toBe(204);
    expect(asked).not.toHaveBeenCalled();
  });
});

it("a change of one limit leaves the others", async () => {
  const project = await newProject(service, { limits: { streams: 5 } });
  await limit(project, { requestsPerMinute: 100 });
  const response = await service.fetch(`/v1/projects/${project.name}`, asAdmin("GET"));
  expect(await response.json()).toMatchObject({
    project: { limits: { streams: 5, requestsPerMinute: 100, appendBytesPerMinute: null } },
  });
});
