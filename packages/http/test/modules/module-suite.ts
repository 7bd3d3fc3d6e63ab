/** What holds for a module on every host: a host's tests call this with a way to serve the example. */

import { SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";

import type { Module } from "../../src/modules/module-types.ts";
import { composeRoutes } from "../../src/routing/table.ts";
import { tally } from "./tally.ts";

/** A server with modules. */
export interface ModuleService {
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** How many calls of objects there were since the last time that this was asked. */
  calls(): number;
  /** Takes the objects out of memory: all that is left is what is stored. */
  restart(): Promise<void>;
  /** Takes the objects out of memory while their sockets stay open. */
  hibernate(): Promise<void>;
  /** Asks for a socket. */
  upgrade(path: string, headers: Readonly<Record<string, string>>): Promise<Upgraded>;
  close(): Promise<void>;
}

/** The answer to a request for a socket. */
export interface Upgraded {
  readonly status: number;
  /** Of a problem. */
  readonly code?: string;
  readonly socket?: ClientSocket;
}

/** A client's end of a socket. */
export interface ClientSocket {
  readonly protocol: string;
  send(message: string): void;
  close(): void;
  /** The next message; rejects if the socket has ended before. */
  next(): Promise<string>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

export interface ModuleHost {
  /** @param vars settings besides those of a server with projects and tokens, whose `TALLY_MAX` is this file's. */
  serve(modules: readonly Module[], vars?: Readonly<Record<string, string>>): Promise<ModuleService>;
}

/** How often one stream may be asked about. */
export const TALLY_MAX = 5;
export const ADMIN = "admin-secret-of-the-tests-0123456789";

interface Project {
  readonly name: string;
  readonly secret: string;
}

export async function newProject(service: ModuleService, settings: object = {}): Promise<Project> {
  const name = `p-${crypto.randomUUID()}`;
  const response = await service.fetch("/v1/projects", withToken("POST", ADMIN, { name, ...settings }));
  if (response.status !== 201) throw new Error(`The project was answered ${response.status}: ${await response.text()}`);
  const { secret } = (await response.json()) as { readonly secret: { readonly secret: string } };
  return { name, secret: secret.secret };
}

export function newToken({ name, secret }: Project, claims: object = {}): Promise<string> {
  return new SignJWT({ sub: name, scope: "manage", ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime("1 minute")
    .sign(new TextEncoder().encode(secret));
}

export function withToken(method: string, token: string, body?: object): RequestInit {
  const headers = { Authorization: `Bearer ${token}` };
  return body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) };
}

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { readonly code: string }).code;
}

export function describeModules(host: ModuleHost): void {
  let service: ModuleService;
  let project: Project;
  let reader = "";
  let manager = "";

  const path = (name = "a/b"): string => `/v1/tally/${project.name}/streams/${name}`;
  const check = (body: object, token = manager, on = service): Promise<Response> =>
    on.fetch(`/v1/tally/${project.name}/check`, withToken("POST", token, body));
  const countOf = async (stream: string, on = service): Promise<unknown> =>
    ((await (await check({ stream }, manager, on)).json()) as { readonly count: number }).count;
  const newStream = async (name: string): Promise<void> => {
    const headers = { Authorization: `Bearer ${manager}`, "Content-Type": "application/json" };
    const created = await service.fetch(`/v1/stream/${project.name}/${name}`, { method: "PUT", body: "[1]", headers });
    expect(created.status).toBe(201);
  };

  beforeAll(async () => {
    service = await host.serve([tally]);
    project = await newProject(service, { corsOrigins: ["https://app.example"] });
    reader = await newToken(project, { scope: "read" });
    manager = await newToken(project);
    await newStream("a/b");
  });

  afterAll(() => service.close());
  afterEach(() => void vi.restoreAllMocks());

  describe("a route of a module", () => {
    it("calls a stream and an object of its own, for whoever has the scope", async () => {
      service.calls();
      const response = await service.fetch(path(), withToken("GET", reader));
      expect([response.status, await response.json()]).toEqual([200, { tail: 2, count: 1 }]);
      expect(service.calls()).toBe(2);
      expect(response.headers.get("Cache-Control")).toBe("no-store");
      expect(response.headers.get("Vary")).toContain("Authorization");
      const again = await service.fetch(path("%61%2Fb"), withToken("GET", reader));
      expect(await again.json()).toEqual({ tail: 2, count: 2 });
    });

    it("is refused to others, for whom no object is called", async () => {
      const other = await newToken(project, { stream_id: "other" });
      const stranger = await newToken(await newProject(service));
      service.calls();
      const codes = await Promise.all([
        service.fetch(path()).then(codeOf),
        service.fetch(path(), withToken("GET", "a.b.c")).then(codeOf),
        service.fetch(path(), withToken("GET", stranger)).then(codeOf),
        service.fetch(path(), withToken("GET", other)).then(codeOf),
        service.fetch(path(), withToken("DELETE", reader)).then(codeOf),
        service.fetch(path().replace(project.name, "missing"), withToken("GET", reader)).then(codeOf),
        check({ stream: "a/b" }, reader).then(codeOf),
        check({ stream: "a/b" }, stranger).then(codeOf),
      ]);
      expect(codes).toEqual([
        "unauthenticated",
        "unauthenticated",
        "unauthenticated",
        "forbidden",
        "forbidden",
        "unauthenticated",
        "forbidden",
        "unauthenticated",
      ]);
      expect(service.calls()).toBe(0);
    });

    it("of a project asks for the right to all of its streams, and reads a body within a limit", async () => {
      expect((await check({ stream: "a/b" })).status).toBe(200);
      expect(await codeOf(await check({ stream: "x".repeat(2_000) }))).toBe("body-too-large");
      const ofSome = await newToken(project, { stream_id: "*" });
      expect(await codeOf(await check({ stream: "a/b" }, ofSome))).toBe("forbidden");
    });

    it("answers refusals as problems, also with one of its own", async () => {
      const missing = await service.fetch(path("missing"), withToken("GET", reader));
      expect(missing.headers.get("Content-Type")).toBe("application/problem+json");
      expect(await missing.json()).toMatchObject({ code: "stream-not-found", requestId: expect.any(String) });
      await newStream("full");
      for (let count = 0; count < TALLY_MAX; count += 1) await service.fetch(path("full"), withToken("GET", reader));
      const full = await service.fetch(path("full"), withToken("GET", reader));
      expect([full.status, await full.json()]).toEqual([
        409,
        {
          type: "urn:durable-streams-cloudflare:problem:tally.full",
          title: "The tally is full",
          status: 409,
          detail: `The stream has been asked about ${TALLY_MAX} times.`,
          code: "tally.full",
          retry: "never",
          effects: "none",
          max: TALLY_MAX,
          requestId: expect.any(String),
        },
      ]);
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
      const other = await service.fetch(path(), { method: "PATCH" });
      expect(other.headers.get("Allow")).toBe("GET, HEAD, DELETE, OPTIONS");
    });

    it("is logged, and a change that a manager makes is in the trail", async () => {
      const lines: Record<string, unknown>[] = [];
      const write = (line: unknown): void => void lines.push(JSON.parse(String(line)) as Record<string, unknown>);
      vi.spyOn(console, "log").mockImplementation(write);
      const logged = await host.serve([tally], { TENANCY: "single", AUTH_MODE: "none", LOG_LEVEL: "info" });
      await logged.fetch("/v1/tally/streams/missing");
      await logged.fetch("/v1/tally/streams/a", { method: "DELETE" });
      expect(lines.map((line) => [line["url.path"], line["code"], line["event.action"]])).toEqual([
        ["/v1/tally/streams/missing", "stream-not-found", undefined],
        ["/v1/tally/streams/a", undefined, "DELETE /v1/tally/:project/streams/:stream{.+}"],
      ]);
      await logged.close();
    });

    it("needs no token where it says so, and HEAD of it has no body", async () => {
      expect(await (await service.fetch("/v1/tally")).json()).toEqual({ max: TALLY_MAX });
      const head = await service.fetch("/v1/tally", { method: "HEAD" });
      expect([head.status, await head.text()]).toEqual([200, ""]);
    });
  });

  describe.each(
    composeRoutes([tally]).filter(({ path: route, needs }) => route.startsWith("/v1/tally/") && needs !== "nothing"),
  )("$method $path", (route) => {
    it.each(["", "?token=a.b.c", `?key=rk_${"x".repeat(32)}`])(
      "[SC1] [IN20] calls no object for a stranger: %s",
      async (query) => {
        for (const name of ["missing", project.name]) {
          const target = route.path.replace(":project", name).replace(/:\w+(?:\{\.\+\})?/g, "x");
          service.calls();
          const response = await service.fetch(target + query, { method: route.method });
          expect([response.status, service.calls()]).toEqual([401, 0]);
        }
      },
    );
  });

  describe("an object of a module", () => {
    it("keeps what it has stored, and its alarm, when it is no longer in memory", async () => {
      await newStream("kept");
      await service.fetch(path("kept"), withToken("GET", reader));
      await check({ stream: "kept", expireAfterMs: 300_000 });
      await service.restart();
      expect(await countOf("kept")).toBe(1);
      await check({ stream: "kept", expireAfterMs: 10 });
      await service.restart();
      await vi.waitFor(async () => expect(await countOf("kept")).toBe(0), { timeout: 20_000 });
    });

    it("is one for each name, and has rows of its own", async () => {
      await Promise.all([newStream("one"), newStream("two")]);
      const add = (name: string): Promise<Response> => service.fetch(path(name), withToken("GET", reader));
      await Promise.all([add("one"), add("two"), add("one")]);
      expect(await Promise.all([countOf("one"), countOf("two")])).toEqual([2, 1]);
      await service.fetch(path("one"), withToken("DELETE", manager));
      expect(await Promise.all([countOf("one"), countOf("two")])).toEqual([0, 1]);
    });
  });
}
