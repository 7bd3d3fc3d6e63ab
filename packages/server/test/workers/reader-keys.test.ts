/** Reader keys: a URL that all readers of a private stream share, so that caches may keep what it answers. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";

import { problemCode } from "./edge.ts";
import { asAdmin, newProject, newProjectStream, newService, newToken, withToken } from "./projects.ts";

async function keyFrom(response: Promise<Response>): Promise<{ key: string }> {
  return (await response).json();
}

describe("a reader key", () => {
  it("[PJ8] [CA2] makes a private stream cacheable by everyone who knows it, for a minute at a time", async () => {
    const service = newService();
    const project = await newProject(service);
    const path = await newProjectStream(service, project);
    const stream = path.split("/").at(-1);
    const keys = `/v1/projects/${project.name}/reader-keys`;
    const manager = await newToken(project);
    const { key } = await keyFrom(service.fetch(keys, withToken("POST", manager, { stream })));
    const headers = { Authorization: `Bearer ${manager}`, "Content-Type": "text/plain" };
    const { headers: created } = await service.fetch(path, { method: "HEAD", headers });
    await service.fetch(path, { method: "POST", headers, body: "x" });
    const response = await service.fetch(`${path}?offset=${created.get("Stream-Next-Offset")}&key=${key}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("Cache-Control")).toBe(
      "public, max-age=60, stale-while-revalidate=300, stale-if-error=0",
    );
    expect(response.headers.get("Vary") ?? "").not.toContain("Authorization");
    for (const wrong of [key.slice(0, -1), `${key}x`, key.toUpperCase(), "", "rk_"]) {
      expect((await service.fetch(`${path}?key=${wrong}`)).status).toBe(401);
    }
    expect((await service.fetch(`${path}?key=${key}`, { method: "DELETE" })).status).toBe(401);
    expect((await service.fetch(`${path}-other?key=${key}`)).status).toBe(401);

    const { key: next } = await keyFrom(service.fetch(keys, withToken("POST", manager, { stream })));
    expect((await service.fetch(`${path}?key=${key}`)).status).toBe(401);
    expect((await service.fetch(`${path}?key=${next}`)).status).toBe(200);
    await service.fetch(`${keys}?stream=${stream}`, withToken("DELETE", manager));
    expect((await service.fetch(`${path}?key=${next}`)).status).toBe(401);
  });

  it("is in KV as a hash only", async () => {
    const service = newService();
    const project = await newProject(service);
    const keys = `/v1/projects/${project.name}/reader-keys`;
    const stream = (await newProjectStream(service, project)).split("/").at(-1);
    const { key } = await keyFrom(service.fetch(keys, asAdmin("POST", { stream })));
    const stored = await env.REGISTRY.get(`reader-key:${project.name}/${stream}`);
    expect(stored).toMatch(/^[\w-]{43}\.\d+$/);
    expect(stored).not.toContain(key.slice(3));
  });

  it("[PJ8] dies with its stream: it opens no other that is made at the same URL, in no way to read", async () => {
    const service = newService();
    const project = await newProject(service);
    const keys = `/v1/projects/${project.name}/reader-keys`;
    const missing = await service.fetch(keys, asAdmin("POST", { stream: "missing" }));
    expect([missing.status, await problemCode(missing)]).toEqual([404, "stream-not-found"]);
    const path = await newProjectStream(service, project);
    const stream = path.split("/").at(-1);
    const { key } = await keyFrom(service.fetch(keys, asAdmin("POST", { stream })));
    expect((await service.fetch(`${path}?offset=-1&key=${key}`)).status).toBe(200);
    const headers = { Authorization: `Bearer ${await newToken(project)}`, "Content-Type": "text/plain" };
    await service.fetch(path, { method: "DELETE", headers });
    expect((await service.fetch(path, { method: "PUT", headers, body: "secret" })).status).toBe(201);
    for (const query of ["", "?offset=-1", "?offset=now", "?offset=-1&live=sse", "?offset=now&live=sse"]) {
      const response = await service.fetch(`${path}${query}${query === "" ? "?" : "&"}key=${key}`);
      expect([query, response.status]).toEqual([query, 401]);
      expect(await response.text()).not.toContain("secret");
    }
    for (const offset of ["-1", "now"]) {
      expect((await service.fetch(`${path}?offset=${offset}&live=long-poll&key=${key}`)).status).toBe(401);
    }
    expect((await service.fetch(`${path}?key=${key}`, { method: "HEAD" })).status).toBe(401);
    const { key: next } = await keyFrom(service.fetch(keys, asAdmin("POST", { stream })));
    expect(await (await service.fetch(`${path}?offset=-1&key=${next}`)).text()).toBe("secret");
  });
});
