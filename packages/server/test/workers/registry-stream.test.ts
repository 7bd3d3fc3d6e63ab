/** `__registry__`: what browsers of streams read to know of all streams of a project. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";

import { inObject, newStream, problemCode } from "./edge.ts";
import { loseNextAnswer } from "./lost-answers.ts";
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

const service = newService();

afterEach(() => {
  vi.restoreAllMocks();
});

const registryOf = (project: TestProject): string => `/v1/stream/${project.name}/__registry__`;
const nameOf = (path: string): string => path.split("/").at(-1) ?? "";

/** A project with one stream, of which its registry knows. */
async function setUp(settings: Readonly<Record<string, unknown>> = {}) {
  const project = await newProject(service, settings);
  const path = await newProjectStream(service, project);
  await notifyProject(path);
  return {
    project,
    path,
    registry: registryOf(project),
    reader: await newToken(project, { claims: { scope: "read" } }),
  };
}

async function events(registry: string, token: string): Promise<unknown> {
  const response = await service.fetch(`${registry}?offset=-1`, withToken("GET", token));
  if (!response.ok) throw new Error(`The registry was answered ${response.status}`);
  return response.json();
}

const insert = (name: string) => ({
  type: "stream",
  key: name,
  value: { path: name, contentType: "text/plain", createdAt: expect.any(Number) },
  headers: { operation: "insert" },
});
const remove = (name: string) => ({ type: "stream", key: name, headers: { operation: "delete" } });

describe("the registry of a project", () => {
  it("[PJ12] is an ordinary JSON stream of what was made and has ended, also for live readers", async () => {
    const { project, path, registry, reader } = await setUp();
    const head = await service.fetch(registry, withToken("HEAD", reader));
    expect([head.status, head.headers.get("Content-Type")]).toEqual([200, "application/json"]);
    expect(await events(registry, reader)).toEqual([insert(nameOf(path))]);
    const tail = head.headers.get("Stream-Next-Offset");
    const slow = newService({ LONG_POLL_TIMEOUT_MS: "10000" });
    const next = slow.fetch(`${registry}?offset=${tail}&live=long-poll`, withToken("GET", reader));
    await service.fetch(path, withToken("DELETE", await newToken(project)));
    await notifyProject(path);
    expect(await (await next).json()).toEqual([remove(nameOf(path))]);
    expect(await events(registry, reader)).toEqual([insert(nameOf(path)), remove(nameOf(path))]);
  });

  it("is not in the directory, and is not counted as a stream", async () => {
    const { project, path } = await setUp();
    await notifyProject(registryOf(project));
    const response = await service.fetch(`/v1/projects/${project.name}/streams`, asAdmin("GET"));
    expect(await response.json()).toMatchObject({ streams: [{ name: nameOf(path) }], counters: { streams: 1 } });
  });

  it.each([true, false])(
    "[PJ12] has each change once when its object dies in the middle of the notification, the append done: %s",
    async (isDone) => {
      const { project, path, registry, reader } = await setUp();
      loseNextAnswer("appendAll", isDone);
      const second = await newProjectStream(service, project);
      await notifyProject(second);
      const third = await newProjectStream(service, project);
      await notifyProject(third);
      expect(await events(registry, reader)).toEqual([path, second, third].map((each) => insert(nameOf(each))));
    },
  );

  it("that was lost is there again with the next change, and lists all streams that exist", async () => {
    const { project, path, registry, reader } = await setUp();
    await env.STREAMS.getByName(`${project.name}/__registry__`).remove();
    const second = await newProjectStream(service, project);
    await notifyProject(second);
    const names = [path, second].map(nameOf).toSorted();
    expect(await events(registry, reader)).toEqual(names.map(insert));
  });

  it("goes with its project", async () => {
    const { project } = await setUp();
    await service.fetch(`/v1/projects/${project.name}`, asAdmin("DELETE"));
    while (await runDurableObjectAlarm(env.PROJECTS.getByName(project.name)));
    const head = await env.STREAMS.getByName(`${project.name}/__registry__`).head();
    expect(head).toMatchObject({ ok: false, problem: { code: "stream-not-found" } });
  });

  it("is there in AUTH_MODE=none as well", async () => {
    const edge = await newStream();
    const name = await inObject(edge, (_, { id }) => id.name ?? "");
    await notifyProject(`/v1/stream/${name}`);
    const open = newService({ AUTH_MODE: "none" });
    const text = await (await open.fetch("/v1/stream/test/__registry__?offset=-1")).text();
    expect(text).toContain(JSON.stringify(name.slice("test/".length)));
    expect((await open.fetch("/v1/stream/test/__registry__", { method: "DELETE" })).status).toBe(405);
  });
});

describe("the registry is closed to", () => {
  it("[PJ12] clients that would write, delete or fork it, whatever their token", async () => {
    const { project, registry, reader } = await setUp();
    const token = await newToken(project);
    const spellings = [registry, registry.replace("__registry__", "%5F%5Fregistry%5F%5F")];
    for (const path of spellings) {
      for (const method of ["PUT", "POST", "DELETE"]) {
        const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
        const response = await service.fetch(path, { method, headers, body: method === "DELETE" ? null : "[1]" });
        expect([response.status, await problemCode(response)]).toEqual([405, "method-not-allowed"]);
        expect(response.headers.get("Allow")).toBe("GET, HEAD, OPTIONS");
      }
      const headers = { Authorization: `Bearer ${token}`, "Stream-Forked-From": path };
      const fork = await service.fetch(`/v1/stream/${project.name}/fork`, { method: "PUT", headers });
      expect([fork.status, await problemCode(fork)]).toEqual([400, "fork-header-invalid"]);
    }
    expect(await events(registry, reader)).toHaveLength(1);
  });

  it("estuaries: no session can have its name, not even before it exists", async () => {
    const project = await newProject(service);
    const token = await newToken(project);
    const subscribe = withToken("POST", token, { estuaryId: "__registry__" });
    const root = `/v1/estuary/${project.name}/__registry__`;
    for (const response of [
      await service.fetch(`/v1/estuary/subscribe/${project.name}/source`, subscribe),
      await service.fetch(`${root}/subscriptions`, withToken("POST", token, { sources: ["source"] })),
      await service.fetch(root, withToken("DELETE", token)),
    ]) {
      expect([response.status, await problemCode(response)]).toEqual([400, "subscription-invalid"]);
    }
    const path = await newProjectStream(service, project);
    await notifyProject(path);
    expect(await events(registryOf(project), token)).toEqual([insert(nameOf(path))]);
  });

  it("those who may read some streams only, and to everybody where all streams are public", async () => {
    const { project, path, registry } = await setUp({ publicStreams: ["*", "__registry__"] });
    expect((await service.fetch(`${path}?offset=-1`)).status).toBe(200);
    expect((await service.fetch(`${registry}?offset=-1`)).status).toBe(401);
    for (const pattern of ["*", "__registry__", "__*"]) {
      const token = await newToken(project, { claims: { stream_id: pattern } });
      expect((await service.fetch(registry, withToken("GET", token))).status).toBe(403);
    }
    const manage = async (action: string): Promise<Record<string, string>> => {
      const init = withToken("POST", await newToken(project), { stream: "__registry__" });
      return (await service.fetch(`/v1/projects/${project.name}/${action}`, init)).json();
    };
    const { token } = await manage("read-urls");
    const { key } = await manage("reader-keys");
    for (const query of [`token=${token}`, `key=${key}`]) {
      expect((await service.fetch(`${registry}?offset=-1&${query}`)).status).toBe(401);
    }
  });

  it("[IN16] tokens of other projects, which have registries of their own", async () => {
    const [one, other] = [await setUp(), await setUp()];
    expect((await service.fetch(one.registry, withToken("GET", other.reader))).status).toBe(401);
    expect(await events(other.registry, other.reader)).toEqual([insert(nameOf(other.path))]);
  });
});
