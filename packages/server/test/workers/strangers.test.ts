import { wakeKeyOf, tagWakeToken } from "@durable-streams-cloudflare/core/contracts/wake-tag";
import type { Touched } from "@durable-streams-cloudflare/http/routing/route";
/** Strangers reach no object: every route, with everything that is no right, and with rights that are not enough. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { base64url, SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";

import { createDurableStreams } from "../../src/index.ts";
import { ADMIN, newProject, newService, newToken, withToken, type TestProject } from "./projects.ts";
import { methodsAt, pathOf, WALKED, type Walked } from "./routes.ts";

const ORIGIN = "https://streams.example";
const OBJECTS: readonly Touched[] = ["STREAMS", "PROJECTS", "CONSUMERS", "ESTUARIES", "SUBSCRIPTIONS"];

/** A server that counts which objects it gets hold of, and how often it reads the registry. */
class CountingServer {
  readonly touched: string[] = [];
  registryReads = 0;
  readonly #server = createDurableStreams();
  readonly #bindings: typeof env;

  constructor(vars: Readonly<Record<string, unknown>> = {}) {
    const namespaces = Object.fromEntries(OBJECTS.map((name) => [name, this.#counting(name)]));
    const get = (key: string): Promise<string | null> => {
      this.registryReads += 1;
      return env.REGISTRY.get(key);
    };
    const settings = { TENANCY: "path", AUTH_MODE: "project", LOG_LEVEL: "off", ADMIN_SECRET: ADMIN };
    const others = { STRANGERS_PER_MINUTE: "1000000", LONG_POLL_TIMEOUT_MS: "100" };
    const bindings = { ...env, ...settings, ...others, ...namespaces, REGISTRY: { get }, ...vars };
    this.#bindings = bindings as unknown as typeof env;
  }

  fetch(path: string, init?: RequestInit): Promise<Response> {
    return this.#server.fetch(new Request(ORIGIN + path, init), this.#bindings, createExecutionContext());
  }

  #counting(name: Touched): object {
    const namespace = (env as unknown as Record<Touched, DurableObjectNamespace>)[name];
    const getByName = (object: string): DurableObjectStub => {
      this.touched.push(`${name} ${object}`);
      return namespace.getByName(object);
    };
    // Any other way to an object would not be counted, and so there is none.
    return { getByName };
  }
}

const service = newService();
let project: TestProject;
let readOnly = "";
let manager = "";
let server: CountingServer;

beforeAll(async () => {
  project = await newProject(service);
  readOnly = await newToken(project, { claims: { scope: "read" } });
  manager = await newToken(project);
  server = new CountingServer();
});

let names = 0;

/** What every route that takes a body accepts. */
const BODY = JSON.stringify({
  estuaryId: "made-up",
  sources: ["a"],
  streams: ["a"],
  stream: "a",
  type: "pull-wake",
  wake_stream: "a",
  worker: "w",
  wake_id: "w",
  generation: 1,
});

/** A path of the route, of names that nobody has ever used. */
function newPath(route: Walked, project: string): string {
  names += 1;
  return pathOf(route, {
    project,
    stream: `s${names}`,
    session: `session${names}`,
    id: `id${names}`,
    item: `x${names}`,
  });
}

/** A token that has the form of a wake's, of this subscription. */
async function wakeToken(path: string, name: string, claims: object = {}, secret = "x".repeat(43)): Promise<string> {
  const [, id = ""] = /subscriptions\/([^/]+)/.exec(path) ?? [];
  return new SignJWT({ sub: `${name}/${id}`, wake: "w", gen: 1, ...claims })
    .setProtectedHeader({ alg: "HS256", typ: "wake+jwt" })
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(secret));
}

/** Everything that is no right, for a path. */
const NO_RIGHTS: Readonly<Record<string, (path: string, name: string) => RequestInit | Promise<RequestInit>>> = {
  nothing: () => ({}),
  "a word as a token": () => bearer("x"),
  "a token that only looks like one": () => bearer("a.b.c"),
  "a token that another project's secret signed": async (_path, name) =>
    bearer(await newToken({ ...project, name, secret: "x".repeat(43) })),
  "a token of another scheme": () => ({ headers: { Authorization: "Basic eA==" } }),
  "a wake's token of its form": async (path, name) => bearer(await wakeToken(path, name)),
  "a wake's token with a made-up tag": async (path, name) =>
    bearer(`${await wakeToken(path, name)}.${base64url.encode(new Uint8Array(32))}`),
  "a wake's token that is signed by the project's own secret": async (path, name) =>
    bearer(await wakeToken(path, name, {}, project.secret)),
  "a wake's token of another subscription": async (path, name) =>
    bearer(await tagged(await wakeToken(path, name, { sub: `${name}/other` }))),
};

function bearer(token: string): RequestInit {
  return { headers: { Authorization: `Bearer ${token}` } };
}

async function tagged(token: string): Promise<string> {
  const raw = new TextEncoder().encode(project.secret);
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return tagWakeToken(token, await wakeKeyOf(key));
}

const QUERIES = ["", "?token=a.b.c", "?key=rk_x", `?key=rk_${"x".repeat(32)}`, "?token=a&key=b", "?offset=-1&live=sse"];
const isOpen = ({ needs }: Walked): boolean => needs === "nothing";

describe.each(WALKED)("$title", (route) => {
  const call = async (target: CountingServer, path: string, init: RequestInit): Promise<Response> => {
    if (["GET", "HEAD"].includes(route.method)) return target.fetch(path, { method: route.method, ...init });
    const headers = new Headers(init.headers);
    headers.set("Content-Type", "application/json");
    return target.fetch(path, { method: route.method, ...init, body: BODY, headers });
  };

  it.each(Object.entries(NO_RIGHTS))(
    "[IN20] [SC1] with %s calls no object, whether or not there is such a project",
    async (_what, of) => {
      for (const name of ["missing", project.name, "a/b", ""]) {
        for (const query of QUERIES) {
          const path = newPath(route, name);
          server.touched.length = 0;
          const response = await call(server, path + query, await of(path, name));
          await response.body?.cancel();
          // The public keys of a project that is there are public.
          const expected =
            isOpen(route) && name === project.name && path.endsWith("jwks.json") ? `PROJECTS ${name}` : "none";
          expect(server.touched.filter((object) => object !== expected)).toEqual([]);
          expect(response.ok && !isOpen(route)).toBe(false);
        }
      }
    },
  );

  it("[PJ3] answers the same for a project that exists as for one that does not, whatever it is shown", async () => {
    if (isOpen(route)) return;
    for (const of of Object.values(NO_RIGHTS)) {
      for (const query of QUERIES) {
        const path = newPath(route, "NAME");
        const answers = await Promise.all(
          ["missing", project.name].map(async (name) => {
            const here = path.replace("NAME", name);
            const response = await call(server, here + query, await of(here, name));
            const body = (await response.text()).replace(/"requestId":"[^"]*"/, "");
            const headers = [...response.headers].filter(([header]) => header !== "stream-request-id");
            return [response.status, body, headers];
          }),
        );
        expect(answers[0]).toEqual(answers[1]);
      }
    }
  });

  it("with a token that may only read calls nothing, unless reading is what it needs", async () => {
    server.touched.length = 0;
    const response = await call(server, newPath(route, project.name), bearer(readOnly));
    await response.body?.cancel();
    if (route.needs === "read" || isOpen(route)) return;
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(server.touched).toEqual([]);
  });

  it("with every right calls no other objects than it says", async () => {
    server.touched.length = 0;
    const path = newPath(route, project.name);
    const isAdmin = route.needs === "admin" || (path === `/v1/projects/${project.name}` && route.method === "DELETE");
    if (isAdmin) return; // What these do would be the end of the project of this test, or is tested with projects.
    const token = route.needs === "wake" ? await tagged(await wakeToken(path, project.name)) : manager;
    const response = await call(server, path, bearer(token));
    await response.body?.cancel();
    const kinds = server.touched.map((object) => object.split(" ")[0]);
    expect(kinds.filter((kind) => !route.touches.some((touched) => touched === kind))).toEqual([]);
  });
});

// At once, because each gives its client the time to read the answer before the body is cut off.
it.concurrent.each([
  ["POST", "/v1/projects/:project/secrets"],
  ["POST", "/v1/stream/:project/s"],
  ["PUT", "/v1/stream/:project/s"],
  ["PUT", "/v1/stream/:project/__ds/subscriptions/s"],
  ["POST", "/v1/stream/:project/__ds/subscriptions/s/ack"],
  ["POST", "/v1/estuary/:project/s/subscriptions"],
  ["POST", "/v1/estuary/subscribe/:project/s"],
  ["DELETE", "/v1/estuary/subscribe/:project/s"],
])(
  "a stranger's body is not waited for: %s %s",
  async (method, path) => {
    const slow = new CountingServer({ BODY_TIMEOUT_SECONDS: "3600" });
    const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(Uint8Array.of(0x7b)) });
    const response = await slow.fetch(path.replace(":project", project.name), {
      method,
      body,
      headers: bearer("x").headers ?? {},
    });
    expect(response.status).toBe(401);
    expect(slow.touched).toEqual([]);
  },
  20_000,
);

it("[IN20] the registry is read for a stranger only so often, and known projects are served nevertheless", async () => {
  const limited = new CountingServer({ STRANGERS_PER_MINUTE: "10" });
  const own = `/v1/projects/${project.name}`;
  expect((await limited.fetch(own, withToken("GET", manager))).status).toBe(200);
  const headers = { "CF-Connecting-IP": "192.0.2.1" };
  const codes = new Map<number, number>();
  for (let index = 0; index < 200; index += 1) {
    const paths = [
      `/v1/stream/m${index}/s`,
      `/v1/stream/m${index}/__ds/jwks.json`,
      `/v1/stream/${project.name}/s${index}?key=rk_${"x".repeat(32)}`,
    ];
    const { status } = await limited.fetch(paths[index % 2 === 0 ? 0 : 2] ?? "", { headers });
    codes.set(status, (codes.get(status) ?? 0) + 1);
  }
  expect(Object.fromEntries(codes)).toEqual({ 401: 10, 429: 190 });
  expect(limited.registryReads).toBeLessThan(20);
  expect((await limited.fetch(own, { headers: { ...headers, Authorization: `Bearer ${manager}` } })).status).toBe(200);
  expect(limited.touched.filter((object) => object !== `PROJECTS ${project.name}`)).toEqual([]);
});

it("the public keys of a project are asked of its object once in ten seconds, whoever asks how often", async () => {
  server.touched.length = 0;
  const keys = new CountingServer();
  for (let index = 0; index < 50; index += 1) {
    expect((await keys.fetch(`/v1/stream/${project.name}/__ds/jwks.json`)).status).toBe(200);
  }
  expect(keys.touched).toEqual([`PROJECTS ${project.name}`]);
  expect(await (await keys.fetch("/v1/stream/missing/__ds/jwks.json")).json()).toEqual({ keys: [] });
});

it("a server with an authorize hook of its own takes no wake's token that has not even the form of one", async () => {
  const hooked = createDurableStreams({ authorize: () => ({ ok: true, isPublic: false }) });
  const touched: string[] = [];
  const CONSUMERS = { getByName: (name: string) => (touched.push(name), env.CONSUMERS.getByName(name)) };
  const bindings = {
    ...env,
    TENANCY: "path",
    AUTH_MODE: "project",
    LOG_LEVEL: "off",
    CONSUMERS,
  } as unknown as typeof env;
  const ack = async (token: string): Promise<number> => {
    const init = { method: "POST", ...bearer(token), body: '{"wake_id":"w","generation":1}' };
    const request = new Request(`${ORIGIN}/v1/stream/of-the-hook/__ds/subscriptions/x/ack`, init);
    return (await hooked.fetch(request, bindings, createExecutionContext())).status;
  };
  const path = "/subscriptions/x/ack";
  expect(await ack("x")).toBe(401);
  expect(await ack(await wakeToken(path, "of-another"))).toBe(401);
  expect(touched).toEqual([]);
  // Its subscription verifies it, and says nothing of whether it is there.
  expect(await ack(await wakeToken(path, "of-the-hook"))).toBe(401);
  expect(touched).toEqual(["of-the-hook/x"]);
});

it("[SC1] the table has every method of every path, and no path has another", () => {
  for (const route of WALKED) {
    const known = methodsAt(newPath(route, "p"));
    expect(known).toContain(route.method);
    for (const method of known.filter((each) => each !== "HEAD")) {
      expect(WALKED.some(({ path, method: other }) => path === route.path && other === method)).toBe(true);
    }
  }
});
