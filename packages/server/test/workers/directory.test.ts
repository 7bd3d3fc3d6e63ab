/** What a project knows of its streams, and how it learns of them. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";

import { ProjectDO } from "../../src/index.ts";
import { append, content, evict, inObject, newEdge } from "./edge.ts";
import { asAdmin, newProject, newProjectStream, newService, newToken, withToken } from "./projects.ts";
import { countRows } from "./rows.ts";

interface Listed {
  readonly streams: readonly { readonly name: string; readonly contentType: string; readonly isPublic: boolean }[];
  readonly counters: { readonly streams: number };
}

const service = newService();

afterEach(() => {
  vi.restoreAllMocks();
});

async function list(project: string, query = ""): Promise<Listed> {
  const response = await service.fetch(`/v1/projects/${project}/streams${query}`, asAdmin("GET"));
  return response.json<Listed>();
}

const namesIn = async (project: string): Promise<string[]> => (await list(project)).streams.map(({ name }) => name);

const streamStub = (path: string) => env.STREAMS.getByName(path.slice("/v1/stream/".length));

/** Lets the stream notify its project of everything pending. */
const tell = (path: string): Promise<boolean> => runDurableObjectAlarm(streamStub(path));

describe("the directory of a project", () => {
  it("[PJ11] lists a stream from its creation to its end, with what it is", async () => {
    const project = await newProject(service, { publicStreams: ["s-*"] });
    const path = await newProjectStream(service, project);
    await tell(path);
    const name = path.split("/").at(-1);
    expect(await list(project.name)).toMatchObject({
      streams: [{ name, contentType: "text/plain", isPublic: true }],
      counters: { streams: 1, created: 1, ended: 0 },
    });
    await service.fetch(path, withToken("DELETE", await newToken(project)));
    await tell(path);
    expect(await list(project.name)).toMatchObject({ streams: [], counters: { streams: 0, created: 1, ended: 1 } });
  });

  it("is open to a token that reads the whole project", async () => {
    const project = await newProject(service);
    const token = await newToken(project, { claims: { scope: "read" } });
    expect((await service.fetch(`/v1/projects/${project.name}/streams`, withToken("GET", token))).status).toBe(200);
  });

  it("has pages and prefixes, in the query", async () => {
    const project = await newProject(service);
    for (let count = 0; count < 3; count += 1) await tell(await newProjectStream(service, project));
    const first = await list(project.name, "?prefix=s-&limit=2");
    const rest = await list(project.name, `?prefix=s-&cursor=${first.streams[1]?.name}`);
    expect([first.streams.length, rest.streams.length]).toEqual([2, 1]);
    expect((await list(project.name, "?prefix=x")).streams).toEqual([]);
  });

  it("learns of a stream that expires", async () => {
    const project = await newProject(service);
    const path = await newProjectStream(service, project);
    await service.fetch(path, withToken("DELETE", await newToken(project)));
    const headers = {
      Authorization: `Bearer ${await newToken(project)}`,
      "Stream-Expires-At": new Date(Date.now() + 1_000).toISOString(),
    };
    expect((await service.fetch(path, { method: "PUT", headers })).status).toBe(201);
    await tell(path);
    expect(await namesIn(project.name)).toHaveLength(1);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2_000 });
    await tell(path); // It ends now, and notifies the directory when its alarm fires again.
    await tell(path);
    vi.useRealTimers();
    expect(await namesIn(project.name)).toEqual([]);
  });
});

describe("a directory that is down", () => {
  const isDown = async (): Promise<never> => {
    throw new Error("the directory is down");
  };

  it("[PJ11] delays no creation, and catches up, also when the stream's object was restarted", async () => {
    const note = vi.spyOn(ProjectDO.prototype, "note").mockImplementation(isDown);
    const project = await newProject(service);
    const path = await newProjectStream(service, project, "content");
    expect(await tell(path)).toBe(true);
    expect(note).toHaveBeenCalled();
    expect(await namesIn(project.name)).toEqual([]);
    const name = path.slice("/v1/stream/".length);
    const edge = { ...newEdge(), stub: () => env.STREAMS.getByName(name) };
    await evict(edge);
    expect(await (await service.fetch(path, withToken("GET", await newToken(project)))).text()).toBe("content");
    note.mockRestore();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
    expect(await tell(path)).toBe(true);
    vi.useRealTimers();
    expect(await namesIn(project.name)).toHaveLength(1);
    expect(await inObject(edge, (_, { storage }) => storage.getAlarm())).toBeNull();
  });

  it("learns only the last change of a stream that was created, deleted and created again meanwhile", async () => {
    const note = vi.spyOn(ProjectDO.prototype, "note").mockImplementation(isDown);
    const project = await newProject(service);
    const path = await newProjectStream(service, project);
    const token = await newToken(project);
    await service.fetch(path, withToken("DELETE", token));
    await service.fetch(path, withToken("PUT", token));
    note.mockRestore();
    await tell(path);
    expect(await list(project.name)).toMatchObject({ counters: { streams: 1, created: 1, ended: 0 } });
  });
});

it("a notification costs a stream one row, and its appends none", async () => {
  const edge = newEdge();
  const rows = await countRows(edge);
  await edge.fetch("", { method: "PUT", headers: { "Content-Type": "text/plain" } });
  await rows.take();
  await runDurableObjectAlarm(edge.stub());
  expect(await rows.take()).toBe(1);
  await append(edge, "x");
  expect(await rows.take()).toBe(1);
  expect(await content(edge)).toBe("x");
});

describe("a project that is removed", () => {
  it("[PJ13] lets nobody in, ends its live readers, and deletes its streams", async () => {
    const project = await newProject(service);
    const path = await newProjectStream(service, project);
    await tell(path);
    const token = await newToken(project);
    const live = await service.fetch(`${path}?offset=-1&live=sse`, withToken("GET", token));
    const text = live.text();
    const removed = await service.fetch(`/v1/projects/${project.name}`, withToken("DELETE", token));
    expect(removed.status).toBe(204);
    expect((await service.fetch(path, withToken("GET", token))).status).toBe(401);
    const stub = env.PROJECTS.getByName(project.name);
    while (await runDurableObjectAlarm(stub));
    expect(await text).toMatch(/event: problem\ndata:\{.*"code":"stream-not-found"/);
    await tell(path);
    const tables = await runInDurableObject(streamStub(path), (_, { storage }) => storage.sql.databaseSize);
    expect(tables).toBeLessThan(10_000);
    const again = await service.fetch("/v1/projects", asAdmin("POST", { name: project.name }));
    expect([again.status, again.headers.get("Retry-After")]).toEqual([409, "120"]);
  });
});
