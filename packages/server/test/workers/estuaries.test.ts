import { FOREGROUND } from "@durable-streams-cloudflare/core/kit/yield";
/** Estuaries over HTTP, in workerd: who may do what, and objects that are evicted or die. */
import { abortAllDurableObjects } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";

import { SubscriptionDO } from "../../src/worker.ts";
import { problemCode } from "./edge.ts";
import { newProject, newService, newToken, withToken, type TestProject } from "./projects.ts";

const service = newService();
let project: TestProject;
let manager = "";
let names = 0;

beforeAll(async () => {
  project = await newProject(service, { publicStreams: ["public/*"] });
  manager = await newToken(project);
});

function newName(prefix: string): string {
  names += 1;
  return `${prefix}-${names}`;
}

function headersOf(token: string): Record<string, string> {
  return { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
}

async function newSource(prefix = "source"): Promise<string> {
  const source = newName(prefix);
  const init = { method: "PUT", headers: headersOf(manager) };
  const response = await service.fetch(`/v1/stream/${project.name}/${source}`, init);
  expect(response.status).toBe(201);
  return source;
}

async function publish(source: string, message: unknown): Promise<void> {
  const init = { method: "POST", headers: headersOf(manager), body: JSON.stringify(message) };
  const response = await service.fetch(`/v1/stream/${project.name}/${source}`, init);
  expect(response.status).toBe(204);
}

function call(method: string, path: string, body?: unknown, token = manager): Promise<Response> {
  return service.fetch(`/v1/estuary/${path}`, withToken(method, token, body));
}

function subscribe(source: string, body: object, token = manager): Promise<Response> {
  return call("POST", `subscribe/${project.name}/${source}`, body, token);
}

async function messagesOf(session: string, token = manager): Promise<unknown> {
  const response = await service.fetch(`/v1/stream/${project.name}/${session}?offset=-1`, withToken("GET", token));
  return response.json();
}

function expectMessages(session: string, messages: readonly unknown[]): Promise<void> {
  return vi.waitFor(async () => expect(await messagesOf(session)).toEqual(messages), { timeout: 20_000, interval: 50 });
}

describe("a session", () => {
  it("is not served before the publishers are", async () => {
    const [source, session] = [await newSource(), newName("session")];
    expect((await subscribe(source, { estuaryId: session })).status).toBe(200);
    const turn = Promise.withResolvers<boolean>();
    const [started, finished] = [vi.spyOn(FOREGROUND, "appendStarted"), vi.spyOn(FOREGROUND, "appendFinished")];
    const yielding = vi.spyOn(FOREGROUND, "yieldToAppends").mockImplementation(() => turn.promise);
    const notify = vi.spyOn(SubscriptionDO.prototype, "notify");
    await publish(source, "one");
    await publish(source, "two");
    expect([started, finished].map(({ mock }) => mock.calls.length)).toEqual([2, 2]);
    expect(notify).not.toHaveBeenCalled();
    turn.resolve(false);
    await expectMessages(session, ["one", "two"]);
    expect(notify).toHaveBeenCalledTimes(1);
    for (const spy of [started, finished, yielding, notify]) spy.mockRestore();
  });

  it("[IN14] [FO1] gets what is published, even when every object dies in between", async () => {
    const [source, session] = [await newSource(), newName("session")];
    expect((await subscribe(source, { estuaryId: session })).status).toBe(200);
    await publish(source, { n: 1 });
    await expectMessages(session, [{ n: 1 }]);
    await abortAllDurableObjects();
    await publish(source, { n: 2 });
    await abortAllDurableObjects();
    await publish(source, { n: 3 });
    await expectMessages(session, [{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  it("[SE12] says what it follows, lasts longer when it is touched, and can be ended", async () => {
    const [source, session] = [await newSource(), newName("session")];
    const path = `${project.name}/${session}`;
    const subscribed = await (await subscribe(source, { estuaryId: session, format: "envelope" })).json<object>();
    expect(subscribed).toMatchObject({ estuaryId: session, source, stream: `/v1/stream/${path}` });
    const described = await (await call("GET", path)).json();
    expect(described).toMatchObject({
      contentType: "application/json",
      subscriptions: [{ source, format: "envelope" }],
    });
    expect(await (await call("POST", `${path}/touch`)).json()).toMatchObject({ estuaryId: session });
    expect((await call("DELETE", path)).status).toBe(204);
    for (const [method, gone] of [
      ["GET", path],
      ["POST", `${path}/touch`],
      ["DELETE", path],
    ] as const) {
      expect(await problemCode(await call(method, gone))).toBe("estuary-not-found");
    }
  });

  it("[SE1] follows many sources by one call, with a result for each", async () => {
    const session = newName("session");
    const sources = [await newSource("many"), await newSource("many")];
    const nothing = Array.from({ length: 8 }, (_, index) => `nothing/${index}`);
    const path = `${project.name}/${session}/subscriptions`;
    const response = await call("POST", path, { sources: [...sources, ...nothing], from: "-1" });
    const { results } = await response.json<{ results: { source: string; problem?: { code: string } }[] }>();
    expect(results.map(({ source }) => source)).toEqual([...sources, ...nothing]);
    expect(results.map(({ problem }) => problem?.code)).toEqual([
      ...sources.map(() => undefined),
      ...nothing.map(() => "stream-not-found"),
    ]);
    for (const source of sources) await publish(source, source);
    await vi.waitFor(
      async () => expect(new Set((await messagesOf(session)) as unknown[])).toEqual(new Set(sources)),
      20_000,
    );
    const left = await call("DELETE", path, { sources: [sources[0]] });
    expect(await left.json()).toEqual({ estuaryId: session, results: [{ source: sources[0] }] });
  });
});

describe("a token", () => {
  it("[SE4] of a session reads that session, and nothing else", async () => {
    const [source, session, other] = [await newSource(), newName("session"), newName("session")];
    for (const estuaryId of [session, other]) expect((await subscribe(source, { estuaryId })).status).toBe(200);
    const token = await newToken(project, { claims: { scope: "read", stream_id: session } });
    await publish(source, 1);
    await expectMessages(session, [1]);
    expect(await messagesOf(session, token)).toEqual([1]);
    expect((await call("GET", `${project.name}/${session}`, undefined, token)).status).toBe(200);
    expect((await call("POST", `${project.name}/${session}/touch`, undefined, token)).status).toBe(200);
    const refused = [
      await service.fetch(`/v1/stream/${project.name}/${source}`, withToken("GET", token)),
      await call("GET", `${project.name}/${other}`, undefined, token),
      await call("DELETE", `${project.name}/${session}`, undefined, token),
      await subscribe(source, { estuaryId: session }, token),
      await call("DELETE", `subscribe/${project.name}/${source}`, { estuaryId: session }, token),
    ];
    expect(refused.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403]);
  });

  it("[SE4] that may write the session must be allowed to read the source", async () => {
    const [source, open, session] = [await newSource(), await newSource("public/source"), newName("session")];
    const token = await newToken(project, { claims: { scope: "read write", stream_id: session } });
    expect((await subscribe(source, { estuaryId: session }, token)).status).toBe(403);
    expect((await subscribe(open, { estuaryId: session }, token)).status).toBe(200);
    const many = await call("POST", `${project.name}/${session}/subscriptions`, { sources: [source, open] }, token);
    expect(await many.json()).toMatchObject({
      results: [{ source, problem: { code: "forbidden" } }, { source: open }],
    });
  });
});

describe("a malformed request", () => {
  it.each([
    ["without an estuaryId", {}],
    ["with an estuaryId of two segments", { estuaryId: "a/b" }],
    ["with an estuaryId that is dots", { estuaryId: ".." }],
    ["with a from that is none", { estuaryId: "a", from: "yesterday" }],
    ["with a format that is none", { estuaryId: "a", format: "xml" }],
  ])("%s is refused", async (_, body) => {
    const response = await subscribe("source", body);
    expect([response.status, await problemCode(response)]).toEqual([400, "subscription-invalid"]);
  });

  it.each([[[]], ["a"], [[""]], [[1]], [["a/../b"]], [Array.from({ length: 1_001 }, (_, index) => `s${index}`)]])(
    "with other sources than a list of names is refused: %#",
    async (sources) => {
      const response = await call("POST", `${project.name}/session/subscriptions`, { sources });
      expect(await problemCode(response)).toBe("subscription-invalid");
    },
  );

  it("to an unknown path or by an unknown method is refused", async () => {
    expect(await problemCode(await call("GET", `${project.name}/a/b`))).toBe("route-not-found");
    expect(await problemCode(await call("GET", project.name))).toBe("route-not-found");
    expect(await problemCode(await call("PUT", `${project.name}/a`))).toBe("method-not-allowed");
  });
});
