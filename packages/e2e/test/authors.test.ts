/** Who wrote what, as verified tokens say: from the append into the log, into R2, over a restart, and into sessions. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { signToken } from "@durable-streams-cloudflare/testkit/token";
import { afterAll, beforeAll, expect, it } from "vitest";

import { startCli } from "../src/cli-process.ts";
import { codeOf, get, JSON_TYPE, producer, send, type Answer } from "../src/requests.ts";
import { segmentFiles } from "../src/stored.ts";
import { bearer, createProject, PROJECT_VARS, type TestProject } from "../src/test-project.ts";

const PROJECT = "app";
const RECORD = { "Stream-Record-Author": "true" };
const VARS = { ...PROJECT_VARS, SEGMENT_BYTES: 65_536, SEGMENT_BYTES_MIN: 1, SEGMENT_AGE_SECONDS: 1 };

let dataDir: string;
let server: ServerProcess;
let project: TestProject;
let sessions = 0;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "authors-"));
  server = await startServer({ dataDir, vars: VARS });
  project = await createProject(server.url, PROJECT);
});

afterAll(async () => {
  await server.kill9();
  rmSync(dataDir, { recursive: true, force: true });
});

const urlOf = (name: string): string => `${server.url}/v1/stream/${PROJECT}/${name}`;

function asUser(user: string): Record<string, string> {
  const exp = Math.floor(Date.now() / 1000) + 600;
  const token = signToken(project.secret, { sub: PROJECT, scope: "read write", user, exp });
  return { ...JSON_TYPE, Authorization: `Bearer ${token}` };
}

const anonymous = (): Record<string, string> => ({ ...JSON_TYPE, ...bearer(project) });

function put(name: string, headers: Record<string, string>, body?: string): Promise<Answer> {
  return send("PUT", urlOf(name), { headers, ...(body === undefined ? {} : { body }) });
}

async function post(name: string, headers: Record<string, string>, body: string): Promise<void> {
  expect([200, 204]).toContain((await send("POST", urlOf(name), { headers, body })).status);
}

interface Envelope {
  readonly source: string;
  readonly author?: string | null;
  readonly data: readonly unknown[];
}

/** A new session that follows a stream from its beginning. */
async function follow(source: string): Promise<string> {
  const session = `session-${(sessions += 1)}`;
  const body = JSON.stringify({ estuaryId: session, from: "-1", format: "envelope" });
  const path = `${server.url}/v1/estuary/subscribe/${PROJECT}/${source}`;
  expect((await send("POST", path, { headers: bearer(project), body })).status).toBe(200);
  return session;
}

async function expectAuthors(session: string, expected: readonly (readonly [unknown, unknown])[]): Promise<void> {
  const seen = async (): Promise<unknown> => {
    const { text } = await get(urlOf(session), bearer(project));
    return (JSON.parse(text) as Envelope[]).map(({ author, data }) => [author, data[0]]);
  };
  await expect.poll(seen, { timeout: 30_000 }).toEqual(expected);
}

/** Until there is a cold segment with this text in it. */
async function untilCold(text: string): Promise<void> {
  const isThere = (): boolean => segmentFiles(dataDir).some((path) => readFileSync(path).includes(text));
  await expect.poll(isThere, { timeout: 30_000 }).toBe(true);
}

it("[AU1] each append's author reaches sessions: out of the log, out of R2, after a restart, and live", async () => {
  expect((await put("room", { ...asUser("alice"), ...RECORD }, "[0]")).status).toBe(201);
  await post("room", asUser("bob"), "[1]");
  await post("room", anonymous(), "[2]");
  await post("room", { ...asUser("alice"), ...producer(0) }, '["the last one"]');
  const expected: [unknown, unknown][] = [
    ["alice", 0],
    ["bob", 1],
    [null, 2],
    ["alice", "the last one"],
  ];
  await expectAuthors(await follow("room"), expected);
  await untilCold("the last one");
  await server.kill9();
  server = await startServer({ dataDir, vars: VARS });
  const session = await follow("room");
  await expectAuthors(session, expected);
  await post("room", asUser("carol"), "[4]");
  await expectAuthors(session, [...expected, ["carol", 4]]);
  expect((await get(urlOf("room"), bearer(project))).text).toBe('[0,1,2,"the last one",4]');
});

it("[AU2] a client cannot say itself who wrote something", async () => {
  await put("forged", { ...anonymous(), ...RECORD });
  const headers = { ...asUser("mallory"), "Stream-Author": "alice", Author: "alice", "X-User": "alice", From: "alice" };
  await post("forged", headers, '[{"author":"alice"}]');
  await post("forged", { ...anonymous(), "Stream-Author": "alice" }, '["\\",\\"author\\":\\"alice\\""]');
  await expectAuthors(await follow("forged"), [
    ["mallory", { author: "alice" }],
    [null, '","author":"alice"'],
  ]);
});

it("[AU3] a repeated append of a producer keeps the author of the first", async () => {
  await put("repeated", { ...anonymous(), ...RECORD });
  await post("repeated", { ...asUser("alice"), ...producer(0) }, "[0]");
  await post("repeated", { ...asUser("bob"), ...producer(0) }, "[0]");
  await post("repeated", asUser("bob"), "[1]");
  await expectAuthors(await follow("repeated"), [
    ["alice", 0],
    ["bob", 1],
  ]);
});

it("[AU1] only a stream that was made so records authors; that is part of its configuration", async () => {
  expect((await put("plain", asUser("alice"), "[0]")).status).toBe(201);
  await expectAuthors(await follow("plain"), [[undefined, 0]]);
  expect(codeOf(await put("plain", { ...asUser("alice"), ...RECORD }, "[0]"))).toBe("stream-exists");
  expect((await put("asked", { ...asUser("alice"), ...RECORD })).status).toBe(201);
  expect((await put("asked", { ...asUser("bob"), ...RECORD })).status).toBe(200);
  expect(codeOf(await put("asked", asUser("bob")))).toBe("stream-exists");
  expect((await put("plain", { ...asUser("bob"), "Stream-Record-Author": "false" }, "[0]")).status).toBe(200);
  expect(codeOf(await put("typo", { ...asUser("bob"), "Stream-Record-Author": "yes" }))).toBe("author-invalid");
  const headers = bearer(project);
  expect((await send("HEAD", urlOf("asked"), { headers })).headers.get("Stream-Record-Author")).toBe("true");
  expect((await send("HEAD", urlOf("plain"), { headers })).headers.get("Stream-Record-Author")).toBeNull();
});

it("[AU1] a fork has the authors of what it inherits, and records its own only if it was made so", async () => {
  await put("origin", { ...asUser("alice"), ...RECORD }, "[0]");
  const forkOf = { "Stream-Forked-From": `/v1/stream/${PROJECT}/origin` };
  expect((await put("fork", { ...asUser("bob"), ...forkOf, ...RECORD })).status).toBe(201);
  await post("fork", asUser("bob"), "[1]");
  await expectAuthors(await follow("fork"), [
    ["alice", 0],
    ["bob", 1],
  ]);
  expect((await put("plain-fork", { ...asUser("bob"), ...forkOf })).status).toBe(201);
  await post("plain-fork", asUser("bob"), "[1]");
  await expectAuthors(await follow("plain-fork"), [
    ["alice", 0],
    [undefined, 1],
  ]);
});

it("the command line tool makes such a stream, and signs tokens with a user", async () => {
  const env = {
    DURABLE_STREAMS_URL: server.url,
    DURABLE_STREAMS_PROJECT: PROJECT,
    DURABLE_STREAMS_SECRET: project.secret,
  };
  const created = await startCli(["stream", "create", "by-cli", "--record-author", "--quiet"], env).ended;
  expect(created.exitCode).toBe(0);
  const token = await startCli(["token", "--scope", "write", "--user", "zoe"], env).ended;
  await post("by-cli", { ...JSON_TYPE, Authorization: `Bearer ${token.stdout.trim()}` }, "[0]");
  await expectAuthors(await follow("by-cli"), [["zoe", 0]]);
});
