/** Names that hide what they are, where they are shown: none is made any more, and those that there are stay reachable. */
import { FOREVER, KEEP_ALL } from "@durable-streams-cloudflare/protocol";
import { env } from "cloudflare:workers";
import { beforeAll, expect, it } from "vitest";

import { problemCode } from "./edge.ts";
import { newProject, newService, newToken, withToken, type TestProject } from "./projects.ts";

const HIDING = [
  "\u0085",
  "\u009b",
  "\u2028",
  "\u2029",
  "\u061c",
  "\u200e",
  "\u200f",
  "\u202a",
  "\u202e",
  "\u2066",
  "\u2069",
];

const service = newService();
let project: TestProject;
let manager = "";

beforeAll(async () => {
  project = await newProject(service);
  manager = await newToken(project);
});

const pathOf = (name: string): string => `/v1/stream/${project.name}/${encodeURIComponent(name)}`;

it.each(HIDING)("[SC15] no stream is made with %j in its name", async (hiding) => {
  for (const name of [`a${hiding}b`, `dir/${hiding}`]) {
    const response = await service.fetch(pathOf(name), withToken("PUT", manager));
    expect(response.status).toBe(400);
    expect(await problemCode(response)).toBe("path-invalid");
  }
});

it.each(HIDING)(
  "[SC15] no subscription is made with %j in its id, and one that is not there is deleted",
  async (hiding) => {
    const path = `/v1/stream/${project.name}/__ds/subscriptions/${encodeURIComponent(`a${hiding}b`)}`;
    const body = { type: "pull-wake", pattern: "**", wake_stream: "wakes" };
    const response = await service.fetch(path, withToken("PUT", manager, body));
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("text-direction marks");
    expect((await service.fetch(path, withToken("DELETE", manager))).status).toBe(204);
  },
);

it("names with emoji, right-to-left letters and joiners are fine", async () => {
  for (const name of ["🚀", "שלום", "سلام", "👩‍💻", "a\u00a0b"])
    expect((await service.fetch(pathOf(name), withToken("PUT", manager))).status).toBe(201);
});

it("an older stream with such a name is read, appended to and deleted", async () => {
  const name = "old\u202egpj.exe";
  await env.STREAMS.getByName(`${project.name}/${name}`).create({
    contentType: "text/plain",
    lifetime: FOREVER,
    retention: KEEP_ALL,
    closed: false,
    bytes: new Uint8Array(new TextEncoder().encode("old")),
  });
  const headers = { Authorization: `Bearer ${manager}`, "Content-Type": "text/plain" };
  expect((await service.fetch(pathOf(name), { method: "POST", headers, body: "er" })).status).toBe(204);
  expect(await (await service.fetch(pathOf(name), { headers })).text()).toBe("older");
  expect((await service.fetch(pathOf(name), { method: "DELETE", headers })).status).toBe(204);
  expect((await service.fetch(pathOf(name), { headers })).status).toBe(404);
});
