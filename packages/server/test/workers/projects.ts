import { createExecutionContext, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { SignJWT, type JWTHeaderParameters, type JWTPayload } from "jose";
import { expect, vi } from "vitest";

import { createDurableStreams } from "../../src/index.ts";

export const ADMIN = "admin-secret-of-the-tests-0123456789";
const ORIGIN = "https://streams.example";

export interface Service {
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

/** A server with `AUTH_MODE=project`, of an isolate of its own: nothing is cached yet. */
export function newService(vars: Readonly<Record<string, unknown>> = {}): Service {
  const server = createDurableStreams();
  const bindings = {
    ...env,
    TENANCY: "path",
    AUTH_MODE: "project",
    LOG_LEVEL: "off",
    ADMIN_SECRET: ADMIN,
    LONG_POLL_TIMEOUT_MS: "100",
    ...vars,
  };
  return { fetch: (path, init) => server.fetch(new Request(ORIGIN + path, init), bindings, createExecutionContext()) };
}

export interface TestProject {
  readonly name: string;
  readonly kid: string;
  readonly secret: string;
}

export function asAdmin(method: string, body?: unknown): RequestInit {
  return withToken(method, ADMIN, body);
}

export function withToken(method: string, token: string, body?: unknown): RequestInit {
  const headers = { Authorization: `Bearer ${token}` };
  return body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) };
}

/** A new project with a name of its own. */
export async function newProject(
  service: Service,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<TestProject> {
  const name = `p-${crypto.randomUUID()}`;
  const response = await service.fetch("/v1/projects", asAdmin("POST", { name, ...settings }));
  if (response.status !== 201) throw new Error(`The project was answered ${response.status}: ${await response.text()}`);
  const { secret } = await response.json<{ secret: { kid: string; secret: string } }>();
  return { name, ...secret };
}

export interface TokenParts {
  readonly claims?: JWTPayload;
  readonly header?: Partial<JWTHeaderParameters>;
  /** In seconds from now; `null` leaves it out. */
  readonly expiresIn?: number | null;
}

/** A token of the project: by default a good one that may do everything. */
export function newToken(
  { name, secret }: TestProject,
  { claims, header, expiresIn = 60 }: TokenParts = {},
): Promise<string> {
  const jwt = new SignJWT({ sub: name, scope: "manage", ...claims }).setProtectedHeader({ alg: "HS256", ...header });
  if (expiresIn !== null) jwt.setExpirationTime(Math.floor(Date.now() / 1000) + expiresIn);
  return jwt.sign(new TextEncoder().encode(secret));
}

/** Creates a stream in the project, and returns its path. */
export async function newProjectStream(service: Service, project: TestProject, body = "hello"): Promise<string> {
  const path = `/v1/stream/${project.name}/s-${crypto.randomUUID()}`;
  const headers = { Authorization: `Bearer ${await newToken(project)}`, "Content-Type": "text/plain" };
  const response = await service.fetch(path, { method: "PUT", headers, body });
  if (response.status !== 201) throw new Error(`The stream was answered ${response.status}`);
  return path;
}

/** Lets a stream notify its project, and the project its registry, of everything pending. */
export async function notifyProject(path: string): Promise<void> {
  const name = path.slice("/v1/stream/".length);
  await fireAlarms(env.STREAMS.getByName(name));
  await fireAlarms(env.PROJECTS.getByName(name.slice(0, name.indexOf("/"))));
}

/** Until the alarm, which may also fire by itself meanwhile, has no more to do for a while. */
async function fireAlarms(stub: DurableObjectStub): Promise<void> {
  const isAtRest = async (): Promise<void> => {
    await runDurableObjectAlarm(stub);
    const alarmAtMs = await runInDurableObject(stub, (_, { storage }) => storage.getAlarm());
    expect(alarmAtMs ?? Infinity).toBeGreaterThan(Date.now() + 60_000);
  };
  await vi.waitFor(isAtRest, { timeout: 10_000 });
}
