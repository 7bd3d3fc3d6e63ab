/** The log explains what was refused, and is the trail of what was changed; the answer leads to its line. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { asAdmin, newProject, newProjectStream, newService, newToken, withToken } from "./projects.ts";
import { methodsAt, pathOf, WALKED } from "./routes.ts";

type Line = Readonly<Record<string, unknown>>;

let lines: Line[];

beforeEach(() => {
  lines = [];
  const write = (line: unknown): void => void lines.push(JSON.parse(String(line)) as Line);
  vi.spyOn(console, "log").mockImplementation(write);
  vi.spyOn(console, "error").mockImplementation(write);
});

afterEach(() => void vi.restoreAllMocks());

const service = newService({ LOG_LEVEL: "info" });

async function idOf(response: Response): Promise<string> {
  const { requestId } = await response.json<{ requestId: string }>();
  return requestId;
}

describe("what is refused", () => {
  it("[DG1] [PJ16] has an id in the answer that is in the log, with the code, the reason, and who it was", async () => {
    const project = await newProject(service);
    const path = await newProjectStream(service, project);
    lines = [];
    const json = { "Content-Type": "application/json" };
    const reader = await newToken(project, { claims: { scope: "read", user: "alice" }, header: { kid: project.kid } });
    const answers = [
      await service.fetch(path),
      await service.fetch(path, withToken("GET", "a.b.c")),
      await service.fetch(path, withToken("DELETE", reader)),
      await service.fetch(path, {
        method: "PUT",
        headers: { ...json, Authorization: `Bearer ${await newToken(project)}` },
      }),
      await service.fetch("/v1/nothing"),
      await service.fetch(`/v1/stream/${project.name}/__ds/subscriptions/x/ack`, withToken("POST", "x", {})),
      await service.fetch(`/v1/projects/${project.name}`, withToken("GET", reader)),
    ];
    expect(lines.map(({ code, who, kid, user }) => [code, who, kid, user])).toEqual([
      ["unauthenticated", "nobody", undefined, undefined],
      ["unauthenticated", "nobody", undefined, undefined],
      ["forbidden", "token", project.kid, "alice"],
      ["stream-exists", "token", project.kid, undefined],
      ["route-not-found", "nobody", undefined, undefined],
      ["unauthenticated", "nobody", undefined, undefined],
      ["forbidden", "token", project.kid, "alice"],
    ]);
    expect(lines.every(({ reason }) => typeof reason === "string" && reason !== "")).toBe(true);
    const headers = answers.map((response) => response.headers.get("Stream-Request-Id"));
    const ids = await Promise.all(answers.map(idOf));
    expect(ids).toEqual(lines.map((line) => line["http.request.id"]));
    expect(headers).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("[DG1] has its id in a header where the answer has no body", async () => {
    const response = await service.fetch("/v1/stream/missing/s", { method: "HEAD" });
    expect(await response.text()).toBe("");
    expect(response.headers.get("Stream-Request-Id")).toBe(lines.at(-1)?.["http.request.id"]);
  });

  it("[SC7] says nothing of tokens, keys and secrets", async () => {
    const project = await newProject(service);
    const token = await newToken(project, { claims: { scope: "read" } });
    await service.fetch(`/v1/stream/${project.name}/s?token=${token}`);
    await service.fetch(`/v1/stream/${project.name}/s?key=rk_secret`);
    await service.fetch(`/v1/projects/${project.name}/secrets`, withToken("POST", token, { secret: "s".repeat(40) }));
    const text = JSON.stringify(lines);
    for (const secret of [token, "rk_secret", "s".repeat(40), project.secret]) expect(text).not.toContain(secret);
  });
});

describe("what is changed by managers", () => {
  it("[PJ16] has a line at LOG_LEVEL error, too: which change, by whom, and its outcome", async () => {
    const quiet = newService({ LOG_LEVEL: "error" });
    const project = await newProject(quiet);
    const path = `/v1/projects/${project.name}`;
    const manager = await newToken(project, { claims: { user: "root" } });
    await quiet.fetch(`${path}/secrets`, withToken("POST", manager, {}));
    await quiet.fetch(`${path}/secrets/missing`, asAdmin("DELETE"));
    await quiet.fetch(`/v1/stream/${project.name}/__ds/jwks/rotate`, withToken("POST", manager));
    await quiet.fetch(path, withToken("GET", manager));
    await quiet.fetch(`${path}/secrets`, withToken("POST", "x", {}));
    await quiet.fetch(`/v1/stream/${project.name}/s`, withToken("PUT", manager));
    const seen = lines.map((line) => [
      line["event.action"],
      line["http.response.status_code"],
      line["who"],
      line["kid"],
      line["code"],
    ]);
    expect(seen).toEqual([
      ["POST /v1/projects", 201, "admin", undefined, undefined],
      ["POST /v1/projects/:project/secrets", 201, "token", project.kid, undefined],
      ["DELETE /v1/projects/:project/secrets/:item", 404, "admin", undefined, "secret-not-found"],
      ["POST __ds/jwks/rotate", 200, "token", project.kid, undefined],
    ]);
    expect(lines.every((line) => line["event.category"] === "iam" && line["log.level"] === "info")).toBe(true);
  });

  it("has none where nothing is to be logged", async () => {
    const silent = newService({ LOG_LEVEL: "off" });
    await newProject(silent);
    expect(lines).toEqual([]);
  });
});

describe("what a route knows", () => {
  const paths = [...new Set(WALKED.map((route) => pathOf(route, { item: "p" }))), "/nothing", "/v1/projects/p/nothing"];

  it.each(paths)("OPTIONS says the truth: %s", async (path) => {
    const allowed = (await service.fetch(path, { method: "OPTIONS" })).headers.get("Allow")?.split(", ") ?? [];
    expect(allowed).toEqual([...methodsAt(path), "OPTIONS"]);
    for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]) {
      const { status } = await service.fetch(path, { method });
      // Whoever has no token is not told whether there is such a route.
      const isKnown = allowed.length > 1 && status !== 405;
      expect([method, isKnown]).toEqual([method, allowed.includes(method)]);
    }
  });

  it.each([
    "/v1/stream/p/s",
    "/v1/projects/p/secrets",
    "/v1/estuary/p/s",
    "/v1/stream/p/__ds/jwks.json",
    "/healthz",
    "/",
  ])("[AP11] a 405 says the same: %s", async (path) => {
    const refused = await service.fetch(path, { method: "PATCH" });
    const options = await service.fetch(path, { method: "OPTIONS" });
    expect(refused.status).toBe(405);
    expect(refused.headers.get("Allow")).toBe(options.headers.get("Allow"));
  });
});

it("a request of a trace has the trace in its log line, and one without begins a trace", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await service.fetch("/v1/nothing", { headers: { traceparent } });
  await service.fetch("/v1/nothing", { headers: { traceparent: traceparent.toUpperCase() } });
  const traces = lines.map((line) => line["trace.id"]);
  expect(traces).toEqual(["0af7651916cd43dd8448eb211c80319c", expect.stringMatching(/^[0-9a-f]{32}$/)]);
  expect(traces[1]).not.toBe(traces[0]);
});
