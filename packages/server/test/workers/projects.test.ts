/** Projects as their managers and readers see them. */
import { env, exports } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";

import { problemCode } from "./edge.ts";
import {
  ADMIN,
  asAdmin,
  newProject,
  newProjectStream,
  newService,
  newToken,
  withToken,
  type Service,
  type TestProject,
} from "./projects.ts";

const SECRET = "a-secret-that-somebody-has-chosen-0123456789";

async function json<Body>(response: Response): Promise<Body> {
  if (!response.ok) throw new Error(`The answer was ${response.status}: ${await response.text()}`);
  return response.json<Body>();
}

async function read(service: Service, path: string, token: string): Promise<number> {
  const response = await service.fetch(path, withToken("GET", token));
  await response.arrayBuffer();
  return response.status;
}

describe("/v1/projects", () => {
  it("[PJ1] creates a project with the secret and settings that are asked for, and shows the secret this once", async () => {
    const service = newService();
    const name = `p-${crypto.randomUUID()}`;
    const body = { name, secret: SECRET, corsOrigins: ["https://app.example"] };
    const created = await service.fetch("/v1/projects", asAdmin("POST", body));
    expect(created.status).toBe(201);
    expect(created.headers.get("Cache-Control")).toBe("no-store");
    expect(await created.json()).toMatchObject({ project: { name }, secret: { secret: SECRET } });
    const described = await service.fetch(`/v1/projects/${name}`, asAdmin("GET"));
    const text = await described.text();
    expect(text).not.toContain(SECRET);
    expect(JSON.parse(text)).toMatchObject({ project: { name, corsOrigins: ["https://app.example"] } });
  });

  it("lists all projects, page by page", async () => {
    const service = newService();
    const names = [await newProject(service), await newProject(service), await newProject(service)].map(
      ({ name }) => name,
    );
    const listed: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const query: string = cursor === "" ? "?limit=2" : `?limit=2&cursor=${encodeURIComponent(cursor)}`;
      const page: { projects: string[]; cursor: string | null } = await json(
        await service.fetch(`/v1/projects${query}`, asAdmin("GET")),
      );
      expect(page.projects.length).toBeLessThanOrEqual(2);
      listed.push(...page.projects);
      cursor = page.cursor;
    }
    expect(listed).toEqual(expect.arrayContaining(names));
  });

  it.each([
    [400, "settings-invalid", { name: "__ds" }],
    [400, "settings-invalid", { name: "../x" }],
    [400, "settings-invalid", { name: "a/b" }],
    [400, "settings-invalid", { name: "x".repeat(64) }],
    [400, "settings-invalid", {}],
    [400, "settings-invalid", { name: "fine", secret: "short" }],
    [400, "settings-invalid", { name: "fine", surprise: 1 }],
    [400, "json-invalid", []],
    [400, "json-invalid", "text"],
  ])("answers %d %s to %j", async (status, code, body) => {
    const response = await newService().fetch("/v1/projects", asAdmin("POST", body));
    expect([response.status, await problemCode(response)]).toEqual([status, code]);
  });

  it("refuses a name that is taken, and says so", async () => {
    const service = newService();
    const { name } = await newProject(service);
    const response = await service.fetch("/v1/projects", asAdmin("POST", { name }));
    expect([response.status, await problemCode(response)]).toEqual([409, "project-exists"]);
  });

  it("refuses a body that is too large", async () => {
    const response = await newService().fetch("/v1/projects", asAdmin("POST", { name: "x".repeat(70_000) }));
    expect(response.status).toBe(413);
  });

  it.each([
    ["GET", "/v1/projects/"],
    ["GET", "/v1/projects/a/b"],
    ["GET", "/v1/projects//secrets"],
    ["GET", "/v1/projects/a/secrets/b/c"],
    ["GET", "/v1/projectsx"],
    ["GET", "/v1/%70rojects"],
  ])("has nothing at %s %s", async (method, path) => {
    expect((await newService().fetch(path, asAdmin(method))).status).toBe(404);
  });

  it("says which methods a route has", async () => {
    const response = await newService().fetch("/v1/projects/a", asAdmin("PUT"));
    expect([response.status, response.headers.get("Allow")]).toEqual([405, "GET, HEAD, PATCH, DELETE, OPTIONS"]);
  });

  it("of a project is open to its manager, but not another project's", async () => {
    const service = newService();
    const project = await newProject(service);
    const other = await newProject(service);
    const token = await newToken(project);
    expect(await read(service, `/v1/projects/${project.name}`, token)).toBe(200);
    expect(await read(service, `/v1/projects/${other.name}`, token)).toBe(401);
    expect(await read(service, "/v1/projects", token)).toBe(401);
  });
});

describe("keys rotate", () => {
  it("[PJ2] without a moment in which no token works", async () => {
    const service = newService();
    const project = await newProject(service);
    const path = await newProjectStream(service, project);
    const secrets = `/v1/projects/${project.name}/secrets`;
    const added = await json<{ secret: TestProject }>(
      await service.fetch(secrets, withToken("POST", await newToken(project))),
    );
    const next = { ...project, ...added.secret };
    for (const holder of [project, next]) {
      for (const header of [{}, { kid: holder.kid }]) {
        expect(await read(service, path, await newToken(holder, { header }))).toBe(200);
      }
    }
    const removed = await service.fetch(`${secrets}/${project.kid}`, withToken("DELETE", await newToken(next)));
    expect(removed.status).toBe(200);
    expect(await read(service, path, await newToken(project))).toBe(401);
    expect(await read(service, path, await newToken(next))).toBe(200);
    const last = await service.fetch(`${secrets}/${next.kid}`, withToken("DELETE", await newToken(next)));
    expect([last.status, await problemCode(last)]).toEqual([409, "secret-last"]);
  });
});

describe("a warm read", () => {
  it("reads nothing from KV", async () => {
    const get = vi.spyOn(env.REGISTRY, "get");
    const service = newService();
    const project = await newProject(service);
    const path = await newProjectStream(service, project);
    const token = await newToken(project, { claims: { scope: "read" } });
    get.mockClear();
    for (let count = 0; count < 20; count += 1) expect(await read(service, path, token)).toBe(200);
    expect(get).not.toHaveBeenCalled();
    get.mockRestore();
  });

  it("is 503, not open, when KV cannot be read", async () => {
    const project = await newProject(newService());
    const get = vi.spyOn(env.REGISTRY, "get").mockRejectedValue(new Error("KV is down"));
    const response = await newService().fetch(
      `/v1/stream/${project.name}/s`,
      withToken("GET", await newToken(project)),
    );
    expect([response.status, await problemCode(response)]).toEqual([503, "unavailable"]);
    get.mockRestore();
  });

  it("is 503 for the administrator, too, whatever needs the project's record", async () => {
    const project = await newProject(newService());
    const get = vi.spyOn(env.REGISTRY, "get").mockRejectedValue(new Error("KV is down"));
    const path = `/v1/projects/${project.name}`;
    const answers = await Promise.all([
      newService().fetch(path, asAdmin("GET")),
      newService().fetch(`${path}/streams`, asAdmin("GET")),
      newService().fetch(`${path}/read-urls`, asAdmin("POST", { stream: "s" })),
    ]);
    for (const answer of answers) expect([answer.status, await problemCode(answer)]).toEqual([503, "unavailable"]);
    get.mockRestore();
  });
});

describe("a signed read URL", () => {
  async function setUp() {
    const service = newService();
    const project = await newProject(service);
    const path = await newProjectStream(service, project);
    const stream = path.split("/").at(-1) ?? "";
    const manager = await newToken(project);
    const sign = async (body: unknown): Promise<Response> =>
      service.fetch(`/v1/projects/${project.name}/read-urls`, withToken("POST", manager, body));
    return { service, project, path, stream, manager, sign };
  }

  it.each(["", "&offset=-1&live=long-poll", "&offset=-1&live=sse"])(
    "[PJ7] reads its stream without a header: %s",
    async (query) => {
      const { service, path, stream, sign } = await setUp();
      const { token, expiresAt } = await json<{ token: string; expiresAt: string }>(
        await sign({ stream, expiresInSeconds: 60 }),
      );
      expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
      const response = await service.fetch(`${path}?token=${token}${query}`);
      expect(response.status).toBe(200);
      expect(response.headers.get("Cache-Control")).not.toContain("public");
      await response.body?.cancel();
    },
  );

  it("is answered as a whole URL as well, whatever the stream is called", async () => {
    const { service, project, manager, sign } = await setUp();
    const stream = "dir/ü?#&% x";
    const path = `/v1/stream/${project.name}/${stream.split("/").map(encodeURIComponent).join("/")}`;
    const headers = { Authorization: `Bearer ${manager}`, "Content-Type": "text/plain" };
    await service.fetch(path, { method: "PUT", headers, body: "content" });
    const made = withToken("POST", manager, { stream });
    const key = await service.fetch(`/v1/projects/${project.name}/reader-keys`, made);
    for (const response of [await sign({ stream }), key]) {
      const { url } = await json<{ url: string }>(response);
      const { origin, pathname, search } = new URL(url);
      expect([origin, pathname]).toEqual(["https://streams.example", path]);
      expect(await (await service.fetch(pathname + search)).text()).toBe("content");
    }
  });

  it("[PJ7] writes nothing, reads no other stream, and works in no header", async () => {
    const { service, project, path, stream, sign } = await setUp();
    const { token } = await json<{ token: string }>(await sign({ stream }));
    for (const method of ["PUT", "POST", "DELETE"]) {
      expect((await service.fetch(`${path}?token=${token}`, { method })).status).toBe(401);
    }
    const other = await newProjectStream(service, project);
    expect((await service.fetch(`${other}?token=${token}`)).status).toBe(403);
    expect((await service.fetch(`/v1/projects/${project.name}?token=${token}`)).status).toBe(401);
    expect((await service.fetch(`${path}?token=${token}&token=${token}`)).status).toBe(401);
    expect(await read(service, path, token)).toBe(401);
  });

  it("for a name that ends in * is for that stream alone", async () => {
    const { service, path, stream, project, sign } = await setUp();
    const { token } = await json<{ token: string }>(await sign({ stream: `${stream.slice(0, 4)}*` }));
    expect((await service.fetch(`${path}?token=${token}`)).status).toBe(403);
    expect((await service.fetch(`/v1/stream/${project.name}/${stream.slice(0, 4)}*?token=${token}`)).status).toBe(404);
  });

  it("[PJ7] is void once it has been revoked, and a new one is not", async () => {
    const { service, project, path, stream, manager, sign } = await setUp();
    const { token } = await json<{ token: string }>(await sign({ stream }));
    await json(await service.fetch(`/v1/projects/${project.name}/read-urls`, withToken("DELETE", manager)));
    expect((await service.fetch(`${path}?token=${token}`)).status).toBe(401);
    const { token: next } = await json<{ token: string }>(await sign({ stream }));
    expect((await service.fetch(`${path}?token=${next}`)).status).toBe(200);
  });

  it("that somebody else signs with a wider scope is refused", async () => {
    const { service, project, path, stream } = await setUp();
    for (const claims of [{ scope: "read write" }, { scope: "manage" }, { scope: "read", stream_id: undefined }]) {
      const token = await newToken(project, {
        claims: { stream_id: stream, iat: Math.floor(Date.now() / 1000), ...claims },
        header: { typ: "read-url+jwt" },
      });
      expect((await service.fetch(`${path}?token=${token}`)).status).toBe(401);
    }
  });

  it.each([
    {},
    { stream: 7 },
    { stream: "a//b" },
    { stream: "\ud800" },
    { stream: "x".repeat(401) },
    { stream: "a", expiresInSeconds: 0 },
    { stream: "a", expiresInSeconds: 604_801 },
    { stream: "a", expiresInSeconds: "60" },
  ])("is not made from %j", async (body) => {
    const { sign } = await setUp();
    expect((await sign(body)).status).toBeGreaterThanOrEqual(400);
  });
});

describe("public streams", () => {
  it("are read by everybody and written by nobody without a token", async () => {
    const service = newService();
    const project = await newProject(service, { publicStreams: ["s-*"] });
    const path = await newProjectStream(service, project);
    const response = await service.fetch(`${path}?offset=-1`);
    expect(response.status).toBe(200);
    expect(response.headers.get("Cache-Control")).toContain("public");
    expect((await service.fetch(path, { method: "POST", body: "x" })).status).toBe(401);
    const hidden = path.replace("/s-", "/hidden-");
    expect((await service.fetch(hidden)).status).toBe(401);
  });
});

describe("CORS of a project", () => {
  const ORIGIN = "https://app.example";

  async function setUp() {
    const service = newService({ CORS_ORIGINS: "https://server.example" });
    const project = await newProject(service, { corsOrigins: [ORIGIN] });
    const path = await newProjectStream(service, project);
    return { service, project, path, token: await newToken(project) };
  }

  it("echoes its origin, with credentials, on every kind of answer", async () => {
    const { service, project, path, token } = await setUp();
    const send = (method: string, url: string, headers: Record<string, string> = {}) =>
      service.fetch(url, { method, headers: { Origin: ORIGIN, ...headers } });
    const bearer = { Authorization: `Bearer ${token}` };
    const answers = [
      await send("OPTIONS", path),
      await send("GET", path, bearer),
      await send("GET", path, { ...bearer, "If-None-Match": "*" }),
      await send("GET", `${path}?offset=-1&live=sse`, bearer),
      await send("GET", `${path}?offset=x`, bearer),
      await send("GET", `${path}-missing`, bearer),
      await send("GET", path),
      await send("GET", `/v1/projects/${project.name}`, bearer),
      await send("GET", `/v1/projects/${project.name}/missing`, bearer),
      await send("GET", `/v1/estuary/${project.name}/missing`, bearer),
    ];
    expect(answers.map(({ status }) => status)).toEqual([204, 200, 304, 200, 400, 404, 401, 200, 404, 404]);
    for (const { headers, body } of answers) {
      expect(headers.get("Access-Control-Allow-Origin")).toBe(ORIGIN);
      expect(headers.get("Access-Control-Allow-Credentials")).toBe("true");
      expect(headers.get("Vary")).toContain("Origin");
      await body?.cancel();
    }
  });

  it("lets no other origin in, the server's own included, not even with a good token", async () => {
    const { service, path, token } = await setUp();
    for (const origin of ["https://server.example", "https://app.example.evil.example", "null"]) {
      const headers = { Origin: origin, Authorization: `Bearer ${token}` };
      const response = await service.fetch(path, { headers });
      expect(response.headers.get("Access-Control-Allow-Origin")).toBeNull();
    }
  });

  it("is the server's where the project has none, and where there is no project", async () => {
    const { service } = await setUp();
    const project = await newProject(service);
    for (const name of [project.name, "missing", "..bad"]) {
      const response = await service.fetch(`/v1/stream/${name}/s`, { headers: { Origin: "https://server.example" } });
      expect(response.headers.get("Access-Control-Allow-Origin")).toBe("https://server.example");
    }
  });
});

describe("TENANCY=single with PROJECT_SECRET", () => {
  const single = { TENANCY: "single", PROJECT_SECRET: SECRET };
  const project: TestProject = { name: "default", kid: "static", secret: SECRET };

  it("needs no registry", async () => {
    const get = vi.spyOn(env.REGISTRY, "get");
    const service = newService(single);
    const path = `/v1/stream/${crypto.randomUUID()}`;
    expect((await service.fetch(path)).status).toBe(401);
    expect((await service.fetch(path, withToken("PUT", await newToken(project)))).status).toBe(201);
    expect(await read(service, path, await newToken(project, { claims: { scope: "read" } }))).toBe(200);
    expect(await read(service, path, await newToken({ ...project, secret: ADMIN }))).toBe(401);
    expect(get).not.toHaveBeenCalled();
    get.mockRestore();
  });

  it("signs read URLs, too", async () => {
    const service = newService(single);
    const path = `/v1/stream/${crypto.randomUUID()}`;
    const token = await newToken(project);
    await service.fetch(path, withToken("PUT", token));
    const body = { stream: path.split("/").at(-1) };
    const signed = await json<{ token: string }>(
      await service.fetch("/v1/projects/default/read-urls", withToken("POST", token, body)),
    );
    expect((await service.fetch(`${path}?token=${signed.token}`)).status).toBe(200);
  });
});

describe("[PJ14] AUTH_MODE=none", () => {
  it("serves nothing that comes through Cloudflare's network", async () => {
    const service = newService({ AUTH_MODE: "none" });
    const headers = { "CF-Ray": "8c3d1f0a2b4c5d6e-FRA" };
    for (const path of ["/v1/stream/p/s", "/v1/projects", "/v1/projects/p"]) {
      expect((await service.fetch(path, { headers })).status).toBe(401);
    }
    expect((await service.fetch("/v1/projects")).status).toBe(200);
  });
});

describe("the RPC entrypoint", () => {
  it("does what the HTTP API does", async () => {
    const rpc = exports.ProjectsRpc;
    const service = newService();
    const name = `p-${crypto.randomUUID()}`;
    const created = await rpc.createProject({ name });
    if (!created.ok) throw new Error(created.problem.detail);
    const project = { name, ...created.secret };
    const path = await newProjectStream(service, project);
    const stream = path.split("/").at(-1) ?? "";
    const signed = await rpc.signReadUrl(name, { stream });
    if (!signed.ok) throw new Error(signed.problem.detail);
    expect((await service.fetch(`${path}?token=${signed.token}`)).status).toBe(200);
    const keyed = await rpc.setReaderKey(name, { stream });
    if (!keyed.ok) throw new Error(keyed.problem.detail);
    expect((await service.fetch(`${path}?key=${keyed.key}`)).status).toBe(200);
    expect(await rpc.removeReaderKey(name, stream)).toEqual({ ok: true });
    expect(await rpc.addSecret(name)).toMatchObject({ ok: true });
    expect(await rpc.removeSecret(name, project.kid)).toMatchObject({ ok: true });
    expect(await rpc.revokeReadUrls(name)).toMatchObject({ ok: true });
    expect(await rpc.updateProject(name, { audience: "a" })).toMatchObject({ ok: true, project: { audience: "a" } });
    expect(await rpc.listProjects()).toMatchObject({ ok: true, projects: expect.arrayContaining([name]) });
    expect(await rpc.describeProject(name)).toMatchObject({ ok: true, project: { audience: "a" } });
    expect(await rpc.removeProject(name)).toEqual({ ok: true });
    expect(await rpc.describeProject(name)).toMatchObject({ ok: false, problem: { code: "project-not-found" } });
  });
});
