/** A module is served like the server's own routes: judged, limited, logged, and found by its table. */
import { defineModule } from "@durable-streams-cloudflare/http/routing/module";
import { ModuleError } from "@durable-streams-cloudflare/http/routing/module-checks";
import type { Module, ModuleSpec } from "@durable-streams-cloudflare/http/routing/module-types";
import { composeRoutes } from "@durable-streams-cloudflare/http/routing/table";
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";

import { ConfigError, createDurableStreams } from "../../src/index.ts";
import { problemCode } from "./edge.ts";
import { tally } from "./modules/tally.ts";
import { ADMIN, newProject, newToken, withToken, type Service, type TestProject } from "./projects.ts";
import { pathOf } from "./routes.ts";

type Bindings = typeof env;

function newService(vars: Readonly<Record<string, unknown>> = {}): Service & { readonly touched: string[] } {
  const server = createDurableStreams<Bindings>({ modules: [tally] });
  const touched: string[] = [];
  const counting = (binding: "STREAMS" | "PROJECTS" | "TALLIES") => ({
    getByName: (name: string) => {
      touched.push(`${binding} ${name}`);
      return env[binding].getByName(name);
    },
  });
  const bindings = {
    ...env,
    STREAMS: counting("STREAMS"),
    PROJECTS: counting("PROJECTS"),
    TALLIES: counting("TALLIES"),
    TENANCY: "path",
    AUTH_MODE: "project",
    LOG_LEVEL: "off",
    ADMIN_SECRET: ADMIN,
    ...vars,
  } as unknown as Bindings;
  return {
    touched,
    fetch: (path, init) =>
      server.fetch(new Request(`https://streams.example${path}`, init), bindings, createExecutionContext()),
  };
}

const service = newService();
let project: TestProject;
let reader = "";
let manager = "";
let stream = "";

const path = (name = "a/b"): string => `/v1/tally/${project.name}/streams/${name}`;

beforeAll(async () => {
  project = await newProject(service, { corsOrigins: ["https://app.example"] });
  reader = await newToken(project, { claims: { scope: "read" } });
  manager = await newToken(project);
  stream = `/v1/stream/${project.name}/a/b`;
  await service.fetch(stream, {
    method: "PUT",
    body: "[1]",
    headers: { Authorization: `Bearer ${manager}`, "Content-Type": "application/json" },
  });
});

afterEach(() => void vi.restoreAllMocks());

describe("a route of a module", () => {
  it("touches a stream and an object of its own, for whoever has the scope", async () => {
    service.touched.length = 0;
    const response = await service.fetch(path(), withToken("GET", reader));
    expect([response.status, await response.json()]).toEqual([200, { tail: 2, count: 1 }]);
    expect(service.touched).toEqual([`STREAMS ${project.name}/a/b`, `TALLIES ${project.name}/a/b`]);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(response.headers.get("Vary")).toContain("Authorization");
    expect(await (await service.fetch(path("%61%2Fb"), withToken("GET", reader))).json()).toEqual({
      tail: 2,
      count: 2,
    });
  });

  it("is refused to others, for whom no object is called", async () => {
    const other = await newToken(project, { claims: { stream_id: "other" } });
    service.touched.length = 0;
    const codes = await Promise.all([
      service.fetch(path()).then(problemCode),
      service.fetch(path(), withToken("GET", "a.b.c")).then(problemCode),
      service.fetch(path(), withToken("GET", other)).then(problemCode),
      service.fetch(path(), withToken("DELETE", reader)).then(problemCode),
      service.fetch(path().replace(project.name, "missing"), withToken("GET", reader)).then(problemCode),
      service.fetch(`/v1/tally/${project.name}/check`, withToken("POST", reader, { stream: "a/b" })).then(problemCode),
    ]);
    expect(codes).toEqual([
      "unauthenticated",
      "unauthenticated",
      "forbidden",
      "forbidden",
      "unauthenticated",
      "forbidden",
    ]);
    expect(service.touched).toEqual([]);
  });

  it("of a project asks for the right to all of its streams, and reads a body within a limit", async () => {
    const check = (token: string, body: object) =>
      service.fetch(`/v1/tally/${project.name}/check`, withToken("POST", token, body));
    expect((await check(manager, { stream: "a/b" })).status).toBe(200);
    expect(await problemCode(await check(manager, { stream: "x".repeat(2_000) }))).toBe("body-too-large");
    const ofSome = await newToken(project, { claims: { stream_id: "*" } });
    expect(await problemCode(await check(ofSome, { stream: "a/b" }))).toBe("forbidden");
  });

  it("answers refusals as problems, and a fault without telling why", async () => {
    const missing = await service.fetch(path("missing"), withToken("GET", reader));
    expect(missing.headers.get("Content-Type")).toBe("application/problem+json");
    expect(await missing.json()).toMatchObject({ code: "stream-not-found", requestId: expect.any(String) });
    const few = newService({ TALLY_MAX: "0" });
    expect(await problemCode(await few.fetch(path(), withToken("GET", reader)))).toBe("rate-limited");
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const broken = newService({ TALLIES: { getByName: () => ({ reset: () => Promise.reject(new Error("secret")) }) } });
    const fault = await broken.fetch(path(), withToken("DELETE", manager));
    expect([fault.status, (await fault.text()).includes("secret")]).toEqual([500, false]);
  });

  it("has the CORS rules of its project, and every common header", async () => {
    const headers = { Authorization: `Bearer ${reader}`, Origin: "https://app.example" };
    const response = await service.fetch(path(), { headers });
    expect(response.headers.get("Access-Control-Allow-Origin")).toBe("https://app.example");
    expect(response.headers.get("X-Content-Type-Options")).toBe("nosniff");
    const stranger = await service.fetch(path(), { headers: { ...headers, Origin: "https://other.example" } });
    expect(stranger.headers.get("Access-Control-Allow-Origin")).toBeNull();
    const preflight = await service.fetch(path(), { method: "OPTIONS", headers: { Origin: "https://app.example" } });
    expect(preflight.headers.get("Allow")).toBe("GET, HEAD, DELETE, OPTIONS");
    expect((await service.fetch(path(), { method: "PATCH" })).headers.get("Allow")).toBe("GET, HEAD, DELETE, OPTIONS");
  });

  it("is logged, and a change that a manager makes is in the trail", async () => {
    const lines: Record<string, unknown>[] = [];
    const write = (line: unknown): void => void lines.push(JSON.parse(String(line)) as Record<string, unknown>);
    vi.spyOn(console, "log").mockImplementation(write);
    const logged = newService({ LOG_LEVEL: "info" });
    await logged.fetch(path("missing"), withToken("GET", reader));
    await logged.fetch(path(), withToken("DELETE", manager));
    expect(lines.map((line) => [line["url.path"], line["code"], line["event.action"]])).toEqual([
      [path("missing"), "stream-not-found", undefined],
      [path(), undefined, "DELETE /v1/tally/:project/streams/:stream{.+}"],
    ]);
  });

  it("needs no token where it says so, and HEAD of it has no body", async () => {
    expect(await (await service.fetch("/v1/tally")).json()).toEqual({ max: 1_000 });
    const head = await service.fetch("/v1/tally", { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  it("names no project where there is only one", async () => {
    const single = newService({ TENANCY: "single", AUTH_MODE: "none", OPEN_TO: "everybody" });
    const name = crypto.randomUUID();
    await single.fetch(`/v1/stream/${name}`, { method: "PUT" });
    expect(await (await single.fetch(`/v1/tally/streams/${name}`)).json()).toEqual({ tail: 0, count: 1 });
    expect(single.touched).toContain(`TALLIES default/${name}`);
  });
});

it("every route of a module is in the table that is walked", () => {
  const added = composeRoutes([tally]).slice(composeRoutes([]).length);
  expect(added.map(({ method, needs }) => [method, needs])).toEqual(
    tally.routes.map(({ method, needs }) => [method, needs]),
  );
});

describe.each(composeRoutes([tally]).filter(({ path, needs }) => path.startsWith("/v1/tally/") && needs !== "nothing"))(
  "$method $path",
  (route) => {
    it.each(["", "?token=a.b.c", `?key=rk_${"x".repeat(32)}`])(
      "[SC1] [IN20] calls no object for a stranger: %s",
      async (query) => {
        for (const name of ["missing", project.name]) {
          service.touched.length = 0;
          const target = pathOf(route, { project: name, item: "x" }) + query;
          const response = await service.fetch(target, { method: route.method });
          expect([response.status, service.touched]).toEqual([401, []]);
        }
      },
    );
  },
);

describe("what does not fit together is refused when the server is made", () => {
  const handle = async () => ({ ok: false, problem: { code: "internal", detail: "" } }) as const;
  type Routes = ModuleSpec["routes"];
  const at = (path: string, more: object = {}): Routes[number] => ({
    method: "GET",
    path,
    of: "stream",
    needs: "read",
    touches: [],
    handle,
    ...more,
  });
  const named = (name: string, routes: Routes = [], objects: ModuleSpec["objects"] = {}): Module =>
    defineModule({ name, routes, objects });
  const FINE = "/v1/own/:project/:stream";

  class Other {}

  it.each<[why: string, modules: () => readonly Module[]]>([
    ["conflicts with /v1/stream/:rest{.+} of the server", () => [named("a", [at("/v1/stream/:project/:stream")])]],
    ["conflicts with /v1/estuary/:rest{.+} of the server", () => [named("a", [at("/v1/estuary/:project/x/:stream")])]],
    ["conflicts with /v1/projects/:rest{.+} of the server", () => [named("a", [at("/v1/projects/:project/:stream")])]],
    [
      "conflicts with /healthz of the server",
      () => [named("a", [at("/healthz", { of: "nothing", needs: "nothing" })])],
    ],
    ["conflicts with / of the server", () => [named("a", [at("/:project", { of: "project" })])]],
    [
      "conflicts with /v1/own/:project/:stream of module a",
      () => [named("a", [at(FINE)]), named("b", [at("/v1/own/:project/:stream{.+}")])],
    ],
    // With one project, it is the same path.
    [
      "conflicts with /v1/own/:project/:stream of module a",
      () => [named("a", [at(FINE)]), named("b", [at("/v1/own/:name", { of: "nothing", needs: "nothing" })])],
    ],
    ["Module a has GET /v1/own/:project/:stream twice", () => [named("a", [at(FINE), at(FINE)])]],
    ["two modules with the name a", () => [named("a"), named("a")]],
    ["is not the name of a module", () => [named("A b")]],
    ["the path must have /:project.", () => [named("a", [at("/v1/own/:stream")])]],
    ["the path must have /:stream.", () => [named("a", [at("/v1/own/:project/x")])]],
    ["a path has plain segments", () => [named("a", [at("/v1/own/:project/:stream{[a-z]+}")])]],
    ["a path has plain segments", () => [named("a", [at("v1/own/:project/:stream")])]],
    ["it touches OTHERS", () => [named("a", [at(FINE, { touches: ["OTHERS"] })])]],
    ["the binding TALLIES belongs to module tally", () => [tally, named("b", [], { TALLIES: Other })]],
    ["the binding STREAMS belongs to the server", () => [named("a", [], { STREAMS: Other })]],
  ])("%s", (why, modules) => {
    expect(() => createDurableStreams({ modules: modules() })).toThrow(ModuleError);
    expect(() => createDurableStreams({ modules: modules() })).toThrow(why);
  });

  it("and a binding that is missing is told before anything is served", async () => {
    const unbound = newService({ TALLIES: undefined });
    await expect(unbound.fetch("/healthz")).rejects.toThrow(ConfigError);
    await expect(unbound.fetch("/healthz")).rejects.toThrow(
      "Module tally needs the objects of class TallyDO, bound as TALLIES.",
    );
  });
});
