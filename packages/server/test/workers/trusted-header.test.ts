/** `AUTH_MODE=trusted-header`: the claims that a proxy sends count, and only with its proof. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";

import { createDurableStreams } from "../../src/index.ts";
import { problemCode } from "./edge.ts";
import { ADMIN, asAdmin, newProject, newService, type Service, type TestProject } from "./projects.ts";

const SECRET = "a-secret-of-the-proxy-0123456789";
const PROOF = { "Stream-Origin-Secret": SECRET };
const TEXT = { "Content-Type": "text/plain" };

type Headers = Readonly<Record<string, string>>;

/** A server that adds the proxy's proof to requests that bring none of their own. */
function behindProxy(vars: Readonly<Record<string, string>> = {}): Service {
  const service = newService({ AUTH_MODE: "trusted-header", ORIGIN_SECRET: SECRET, ...vars });
  const fetch: Service["fetch"] = (path, init = {}) => {
    const headers = new Headers(init.headers);
    if (!headers.has("Stream-Origin-Secret")) headers.set("Stream-Origin-Secret", SECRET);
    return service.fetch(path, { ...init, headers });
  };
  return { fetch };
}

const inSeconds = (seconds: number): string => String(Math.floor(Date.now() / 1000) + seconds);
const claims = (project: string, more: Headers = {}): Headers => ({
  "X-JWT-Sub": "alice",
  "X-JWT-Exp": inSeconds(600),
  "X-JWT-Scope": "manage",
  "X-JWT-Stream-Id": "*",
  "X-JWT-Project": project,
  ...more,
});

describe("with TENANCY=path", () => {
  const service = behindProxy();
  let project: TestProject;
  let path: string;

  beforeAll(async () => {
    project = await newProject(service, { publicStreams: ["open"] });
    path = `/v1/stream/${project.name}/private`;
    for (const name of ["private", "open"]) {
      const headers = { ...TEXT, ...claims(project.name) };
      const init = { method: "PUT", headers, body: "hello" };
      const { status } = await service.fetch(`/v1/stream/${project.name}/${name}`, init);
      if (status !== 201) throw new Error(`The stream was answered ${status}.`);
    }
  });

  it("[PJ17] claims do what a token with the same claims does, and no more", async () => {
    const status = async (method: string, more: Headers, stream = "private"): Promise<number> => {
      const headers = { ...TEXT, ...claims(project.name, more) };
      const init = method === "POST" ? { method, headers, body: "x" } : { method, headers };
      const response = await service.fetch(`/v1/stream/${project.name}/${stream}`, init);
      await response.body?.cancel();
      return response.status;
    };
    expect(await status("GET", { "X-JWT-Scope": "read" })).toBe(200);
    expect(await status("POST", { "X-JWT-Scope": "read" })).toBe(403);
    expect(await status("POST", { "X-JWT-Scope": "write" })).toBe(204);
    expect(await status("GET", { "X-JWT-Scope": "openid" })).toBe(403);
    expect(await status("GET", { "X-JWT-Scope": "read", "X-JWT-Stream-Id": "priv*" })).toBe(200);
    expect(await status("GET", { "X-JWT-Scope": "read", "X-JWT-Stream-Id": "other" })).toBe(403);
    expect(await status("GET", { "X-JWT-Project": "another" })).toBe(401);
    expect(await status("GET", { "X-JWT-Exp": inSeconds(-60) })).toBe(401);
  });

  it("routes about the project take claims for the whole project alone", async () => {
    const about = `/v1/projects/${project.name}/streams`;
    expect((await service.fetch(about, { headers: claims(project.name) })).status).toBe(200);
    const some = await service.fetch(about, { headers: claims(project.name, { "X-JWT-Stream-Id": "priv*" }) });
    expect([some.status, await problemCode(some)]).toEqual([403, "forbidden"]);
    expect((await service.fetch("/v1/projects", asAdmin("GET"))).status).toBe(200);
    expect((await service.fetch("/v1/projects", { headers: claims(project.name) })).status).toBe(401);
  });

  it("a request without claims has the rights of the public, and otherwise hears what the proxy must send", async () => {
    expect((await service.fetch(`/v1/stream/${project.name}/open`)).status).toBe(200);
    const response = await service.fetch(path);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({
      code: "unauthenticated",
      detail: "The proxy sent no claims.",
      hint: expect.stringContaining("X-JWT-Sub, X-JWT-Exp, X-JWT-Project"),
    });
  });

  it("a signed read URL and a reader key work as everywhere", async () => {
    const post = { method: "POST", headers: claims(project.name), body: JSON.stringify({ stream: "private" }) };
    const signed = await service.fetch(`/v1/projects/${project.name}/read-urls`, post);
    const { token } = await signed.json<{ token: string }>();
    expect((await service.fetch(`${path}?token=${token}`)).status).toBe(200);
    const made = await service.fetch(`/v1/projects/${project.name}/reader-keys`, post);
    const { key } = await made.json<{ key: string }>();
    expect((await service.fetch(`${path}?key=${key}`)).status).toBe(200);
  });

  it("a token of the project, which the proxy should have verified, counts for nothing", async () => {
    const headers = { Authorization: `Bearer ${ADMIN}` };
    expect((await service.fetch(path, { headers })).status).toBe(401);
  });

  it("a project that does not exist is refused as one that is not the claims'", async () => {
    const ask = async (name: string, more: Headers): Promise<unknown> => {
      const response = await service.fetch(`/v1/stream/${name}/x`, { headers: claims("another", more) });
      const { requestId: _, ...body } = await response.json<Record<string, unknown>>();
      return [response.status, body];
    };
    for (const more of [{}, { "X-JWT-Exp": "never" }, { "X-JWT-Sub": "a, b" }])
      expect(await ask(project.name, more)).toEqual(await ask("missing", more));
  });

  it("[PJ18] two headers of one name are refused, whichever comes first", async () => {
    for (const name of ["X-JWT-Sub", "X-JWT-Scope", "X-JWT-Stream-Id", "X-JWT-Exp", "X-JWT-Project"]) {
      const headers = new Headers(claims(project.name));
      headers.append(name, "mallory");
      const response = await service.fetch(path, { headers });
      expect([name, response.status]).toEqual([name, 401]);
      expect(await response.text()).toContain("sent once");
    }
  });

  it("[PJ9] a live read ends when the claims do", async () => {
    const headers = claims(project.name, { "X-JWT-Exp": inSeconds(-25) });
    const response = await service.fetch(`${path}?offset=-1&live=sse`, { headers });
    expect(response.status).toBe(200);
    // The end of the response is awaited: without the limit it would last for SSE_SESSION_SECONDS.
    expect(await response.text()).toContain("hello");
  });
});

describe("with TENANCY=single and no other secret", () => {
  const service = behindProxy({ TENANCY: "single", ADMIN_SECRET: "" });
  const { "X-JWT-Project": _, ...sent } = claims("");
  const path = `/v1/stream/${crypto.randomUUID()}`;

  it("the project needs neither a record nor a name, and signs read URLs all the same", async () => {
    const init = { method: "PUT", headers: { ...TEXT, ...sent }, body: "hello" };
    expect((await service.fetch(path, init)).status).toBe(201);
    expect((await service.fetch(path, { headers: sent })).status).toBe(200);
    const body = JSON.stringify({ stream: path.split("/").at(-1) });
    const post = { method: "POST", headers: sent, body };
    const signed = await service.fetch("/v1/projects/default/read-urls", post);
    const { token } = await signed.json<{ token: string }>();
    expect((await service.fetch(`${path}?token=${token}`)).status).toBe(200);
    expect((await service.fetch(`${path}?token=${token}x`)).status).toBe(401);
  });
});

describe("without the proxy's proof", () => {
  const NONE: readonly Headers[] = [
    {},
    { "Stream-Origin-Secret": "" },
    { "Stream-Origin-Secret": `${SECRET}x` },
    { "Stream-Origin-Secret": `${SECRET}, ${SECRET}` },
  ];

  it.each(NONE)("[PJ17] %j: claims count for nothing, and the problem says what the proxy must send", async (proof) => {
    const service = newService({ AUTH_MODE: "trusted-header", ORIGIN_SECRET: SECRET, TENANCY: "single" });
    const { "X-JWT-Project": _, ...sent } = claims("");
    for (const method of ["GET", "PUT", "POST", "DELETE", "OPTIONS"]) {
      const response = await service.fetch("/v1/stream/x", { method, headers: { ...sent, ...proof } });
      expect([method, response.status]).toEqual([method, 401]);
      expect(await response.json()).toMatchObject({
        code: "proxy-required",
        hint: expect.stringContaining("ORIGIN_SECRET in Stream-Origin-Secret"),
      });
    }
  });

  it.each(["project", "none"])("with AUTH_MODE=%s nothing reads the claims, proof or none", async (mode) => {
    const vars = { AUTH_MODE: mode, ORIGIN_SECRET: SECRET, TENANCY: "path" };
    const headers = { ...TEXT, ...PROOF, ...claims("x", { "X-JWT-Scope": "none, at all" }) };
    const init = { method: "PUT", headers };
    const { status } = await newService(vars).fetch(`/v1/stream/x/${crypto.randomUUID()}`, init);
    expect(status).toBe(mode === "none" ? 201 : 401);
  });

  it("a server without ORIGIN_SECRET serves nothing", async () => {
    const service = newService({ AUTH_MODE: "trusted-header", TENANCY: "path" });
    await expect(service.fetch("/v1/stream/x/y")).rejects.toThrow("ORIGIN_SECRET must be set");
  });

  it("a Worker without a registry refuses all claims", async () => {
    const { REGISTRY: _r, PROJECTS: _p, ...bound } = env;
    const vars = { TENANCY: "path", AUTH_MODE: "trusted-header", ORIGIN_SECRET: SECRET, LOG_LEVEL: "off" };
    const request = new Request("https://streams.example/v1/stream/x/y", { headers: { ...PROOF, ...claims("x") } });
    const context = { waitUntil: () => undefined, passThroughOnException: () => undefined, props: {} };
    const response = await createDurableStreams().fetch(request, { ...bound, ...vars }, context as never);
    expect(response.status).toBe(401);
  });
});
