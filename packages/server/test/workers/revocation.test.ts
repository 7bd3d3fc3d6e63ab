/** What is revoked ends the reads that are open as well, by every way in which a read can have been allowed. */
import { expect, it } from "vitest";

import { problemCode } from "./edge.ts";
import { EventReader } from "./events.ts";
import { asAdmin, newProject, newService, newToken, withToken, type TestProject } from "./projects.ts";

const service = newService({
  SSE_SESSION_SECONDS: "600",
  SSE_HEARTBEAT_SECONDS: "1",
  LONG_POLL_TIMEOUT_MS: "25000",
});

/** How a stream is read, and how that is taken back. */
interface Way {
  readonly what: string;
  /** The query and the headers of a read. */
  readonly allow: (project: TestProject) => Promise<{ query?: string; headers?: Record<string, string> }>;
  readonly revoke: (project: TestProject) => Promise<Response>;
}

const projectPath = ({ name }: TestProject, action = ""): string => `/v1/projects/${name}${action}`;

async function made(project: TestProject, action: string): Promise<Record<string, string>> {
  const response = await service.fetch(projectPath(project, action), asAdmin("POST", { stream: "s" }));
  return response.json<Record<string, string>>();
}

const WAYS: readonly Way[] = [
  {
    what: "a token whose secret is removed",
    allow: async (project) => ({ headers: { Authorization: `Bearer ${await newToken(project)}` } }),
    revoke: (project) => service.fetch(projectPath(project, `/secrets/${project.kid}`), asAdmin("DELETE")),
  },
  {
    what: "a read URL that is revoked",
    allow: async (project) => ({ query: `&token=${(await made(project, "/read-urls"))["token"]}` }),
    revoke: (project) => service.fetch(projectPath(project, "/read-urls"), asAdmin("DELETE")),
  },
  {
    what: "a reader key that is removed",
    allow: async (project) => ({ query: `&key=${(await made(project, "/reader-keys"))["key"]}` }),
    revoke: (project) => service.fetch(projectPath(project, "/reader-keys?stream=s"), asAdmin("DELETE")),
  },
  {
    what: "a reader key that is replaced",
    allow: async (project) => ({ query: `&key=${(await made(project, "/reader-keys"))["key"]}` }),
    revoke: (project) => service.fetch(projectPath(project, "/reader-keys"), asAdmin("POST", { stream: "s" })),
  },
  {
    what: "a public stream that is made private",
    allow: async (project) => {
      await service.fetch(projectPath(project), asAdmin("PATCH", { publicStreams: ["s"] }));
      return {};
    },
    revoke: (project) => service.fetch(projectPath(project), asAdmin("PATCH", { publicStreams: [] })),
  },
];

/** A project with the stream `s`, and a second secret whose tokens stay good. */
async function setUp(): Promise<{ project: TestProject; path: string; owner: string }> {
  const project = await newProject(service);
  const added = await service.fetch(projectPath(project, "/secrets"), asAdmin("POST", {}));
  const { secret } = await added.json<{ secret: { secret: string } }>();
  const path = `/v1/stream/${project.name}/s`;
  const owner = await newToken({ ...project, ...secret });
  const headers = { Authorization: `Bearer ${owner}`, "Content-Type": "text/plain" };
  await service.fetch(path, { method: "PUT", headers, body: "start" });
  return { project, path, owner };
}

it.each(WAYS)("[PJ9] open reads end by $what", async ({ allow, revoke }) => {
  const { project, path, owner } = await setUp();
  const { query = "", headers = {} } = await allow(project);
  const open = (mode: string): Promise<Response> =>
    service.fetch(`${path}?offset=now&live=${mode}${query}`, { headers });
  const readers = await Promise.all(Array.from({ length: 5 }, async () => new EventReader(await open("sse"))));
  const others = new EventReader(await service.fetch(`${path}?offset=now&live=sse`, withToken("GET", owner)));
  const poll = open("long-poll");
  for (const reader of [...readers, others]) expect(await reader.take(1)).toEqual(["control@5 up-to-date"]);
  expect((await revoke(project)).ok).toBe(true);
  for (const reader of readers) {
    const event = await reader.next();
    expect(event?.type).toBe("problem");
    const problem = JSON.parse(event?.data ?? "{}") as { code: string; detail: string };
    expect(problem.code).toBe("unauthenticated");
    expect(problem.detail).toContain("Access to the stream has ended.");
    expect(await reader.next()).toBeUndefined();
  }
  const polled = await poll;
  expect([polled.status, await problemCode(polled)]).toEqual([401, "unauthenticated"]);
  const again = await open("sse");
  await again.body?.cancel();
  expect(again.status).toBe(401);
  await others.cancel();
});

it("[PJ9] [PJ13] open reads end with their project, as soon as either the edge or the stream has heard of it", async () => {
  const { project, path } = await setUp();
  const reader = new EventReader(
    await service.fetch(`${path}?offset=now&live=sse`, withToken("GET", await newToken(project))),
  );
  await reader.take(1);
  expect((await service.fetch(projectPath(project), asAdmin("DELETE"))).status).toBe(204);
  expect((await reader.take(2)).join()).toMatch(/^problem:(unauthenticated|stream-not-found),end$/);
});

it("who may still read goes on, and misses nothing", async () => {
  const { project, path, owner } = await setUp();
  const headers = { Authorization: `Bearer ${owner}`, "Content-Type": "text/plain" };
  const leaving = new EventReader(
    await service.fetch(`${path}?offset=now&live=sse`, withToken("GET", await newToken(project))),
  );
  const staying = new EventReader(await service.fetch(`${path}?offset=-1&live=sse`, { headers }));
  await service.fetch(projectPath(project, `/secrets/${project.kid}`), asAdmin("DELETE"));
  expect(await leaving.take(3)).toEqual(["control@5 up-to-date", "problem:unauthenticated", "end"]);
  await service.fetch(path, { method: "POST", headers, body: "later" });
  expect(await staying.take(4)).toEqual(["data:start", "control@5 up-to-date", "data:later", "control@10 up-to-date"]);
  await staying.cancel();
});
