/** What streams of a project are whose creator does not say it. */
import { describe, expect, it } from "vitest";

import { asAdmin, newProject, newService, newToken, type TestProject } from "./projects.ts";

const service = newService();
const DEFAULTS = { contentType: "application/json", ttlSeconds: 600, retentionSeconds: 60, retentionBytes: 1_000 };

async function put(project: TestProject, name: string, headers: Readonly<Record<string, string>> = {}) {
  const init = { method: "PUT", headers: { Authorization: `Bearer ${await newToken(project)}`, ...headers } };
  return service.fetch(`/v1/stream/${project.name}/${name}`, init);
}

async function head(project: TestProject, name: string): Promise<Record<string, string>> {
  const init = { method: "HEAD", headers: { Authorization: `Bearer ${await newToken(project)}` } };
  const { headers } = await service.fetch(`/v1/stream/${project.name}/${name}`, init);
  const names = [
    "content-type",
    "stream-ttl",
    "stream-expires-at",
    "stream-retention-seconds",
    "stream-retention-bytes",
  ];
  return Object.fromEntries(names.flatMap((each) => (headers.has(each) ? [[each, headers.get(each) ?? ""]] : [])));
}

describe("the defaults of a project", () => {
  it("[PJ15] are what a stream has whose creation names nothing", async () => {
    const project = await newProject(service, { defaults: DEFAULTS });
    expect((await put(project, "s")).status).toBe(201);
    expect(await head(project, "s")).toEqual({
      "content-type": "application/json",
      "stream-ttl": "600",
      "stream-retention-seconds": "60",
      "stream-retention-bytes": "1000",
    });
  });

  it("[PJ15] give way, each group of them, to what a creation names", async () => {
    const project = await newProject(service, { defaults: DEFAULTS });
    const expiresAt = "2099-01-01T00:00:00.000Z";
    const named = { "Content-Type": "text/plain", "Stream-Expires-At": expiresAt, "Stream-Retention-Bytes": "7" };
    expect((await put(project, "s", named)).status).toBe(201);
    expect(await head(project, "s")).toEqual({
      "content-type": "text/plain",
      "stream-expires-at": expiresAt,
      "stream-retention-bytes": "7",
    });
  });

  it("are no difference when they change between two creations that name nothing; what is named is", async () => {
    const project = await newProject(service, { defaults: DEFAULTS });
    expect((await put(project, "s")).status).toBe(201);
    const changed = { defaults: { contentType: "text/plain", ttlSeconds: 7, retentionSeconds: 8 } };
    expect((await service.fetch(`/v1/projects/${project.name}`, asAdmin("PATCH", changed))).status).toBe(200);
    expect((await put(project, "s")).status).toBe(200);
    for (const named of [{ "Content-Type": "text/plain" }, { "Stream-TTL": "7" }, { "Stream-Retention-Bytes": "7" }]) {
      expect((await put(project, "s", named as unknown as Record<string, string>)).status).toBe(409);
    }
    expect(await head(project, "s")).toMatchObject({ "stream-ttl": "600", "stream-retention-bytes": "1000" });
  });

  it("do not touch forks, which are what their source is", async () => {
    const project = await newProject(service);
    expect((await put(project, "source", { "Content-Type": "text/plain" })).status).toBe(201);
    await service.fetch(`/v1/projects/${project.name}`, asAdmin("PATCH", { defaults: DEFAULTS }));
    const fork = { "Stream-Forked-From": `/v1/stream/${project.name}/source` };
    expect((await put(project, "fork", fork)).status).toBe(201);
    expect(await head(project, "fork")).toEqual({ "content-type": "text/plain" });
  });
});
