/** What the edge answers in place of objects that were never made is what they answer themselves. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";

import { createDurableStreams } from "../../src/index.ts";
import type { MayExist } from "../../src/objects/absent-objects.ts";
import { ADMIN, newProject, newService, newToken, type TestProject } from "./projects.ts";
import { pathOf, WALKED, type Walked } from "./routes.ts";

const BODY = JSON.stringify({ estuaryId: "session", sources: ["a"], streams: ["a"], stream: "a", worker: "w" });

let project: TestProject;
let manager = "";

beforeAll(async () => {
  project = await newProject(newService());
  manager = await newToken(project);
});

type Call = (method: string, path: string) => Promise<Response>;

/** @param mayExist `undefined`: objects are asked. */
function newServer(mode: "project" | "none", mayExist?: MayExist): Call {
  const server = createDurableStreams(mayExist === undefined ? {} : { mayExist });
  const settings = { TENANCY: "path", AUTH_MODE: mode, OPEN_TO: "everybody", LOG_LEVEL: "off", ADMIN_SECRET: ADMIN };
  const bindings = { ...env, ...settings, LONG_POLL_TIMEOUT_MS: "100" };
  return (method, path) => {
    const headers = { Authorization: `Bearer ${manager}`, "Content-Type": "application/json" };
    const body = ["GET", "HEAD"].includes(method) ? {} : { body: BODY };
    const request = new Request(`https://streams.example${path}`, { method, headers, ...body });
    return server.fetch(request, bindings, createExecutionContext());
  };
}

function isMaking({ method, path }: Walked): boolean {
  if (method === "PUT" || path.endsWith("/rotate")) return true;
  return (
    method === "POST" && (path === "/v1/projects" || (path.startsWith("/v1/estuary/") && !path.endsWith("/touch")))
  );
}

async function seen(response: Response): Promise<unknown> {
  const text = (await response.text()).replace(/"requestId":"[^"]*"/, "");
  const headers = [...response.headers].filter(([name]) => name !== "stream-request-id");
  return [response.status, text, headers];
}

const asking = WALKED.filter((route) => !isMaking(route) && route.needs !== "wake");
let names = 0;

describe.each(asking)("$title", (route) => {
  const { method, path } = route;
  it.each(["", "?offset=-1&live=sse", "?offset=now&live=long-poll"])(
    "[IN20] is answered the same, %s",
    async (query) => {
      const modes: [mode: "project" | "none", name: string][] = [["none", `unknown-${crypto.randomUUID()}`]];
      // What changes the project of these tests is answered differently each time.
      if (method === "GET" || !path.startsWith("/v1/projects")) modes.push(["project", project.name]);
      for (const [mode, name] of modes) {
        names += 1;
        const named = pathOf(route, { project: name, item: `made-up-${names}` });
        const asked = await newServer(mode)(method, named + query);
        const unasked = await newServer(mode, (kind) => kind === "PROJECTS" && mode === "project")(
          method,
          named + query,
        );
        expect(await seen(unasked)).toEqual(await seen(asked));
      }
    },
  );
});

it("a request that creates something reaches its object", async () => {
  const call = newServer("project", () => false);
  const path = `/v1/stream/${project.name}/made`;
  expect((await call("PUT", path)).status).toBe(201);
  expect((await call("GET", path)).status).toBe(404);
  expect((await newServer("project", () => true)("GET", path)).status).toBe(200);
});

it("the existence of an object is checked before each call of it, and of no other object", async () => {
  const asked: string[] = [];
  const call = newServer("project", (kind, name) => {
    asked.push(`${kind} ${name}`);
    return false;
  });
  await call("HEAD", `/v1/stream/${project.name}/asked`);
  expect(asked).toEqual([`STREAMS ${project.name}/asked`]);
});
