/**
 * A data directory with something of everything in it, to try whether a later server still opens it. The archives in
 * `fixtures/` were written by `write-kept-data.ts`, each by the server of its time; what that server answered is beside them.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { append, create, get, JSON_TYPE, producer, send, TEXT, type Answer } from "./requests.ts";
import { ADMIN_SECRET, bearer, createProject, PROJECT_VARS, type TestProject } from "./test-project.ts";

/** Small segments, so that a part of the data is cold. */
export const KEPT_VARS = { ...PROJECT_VARS, SEGMENT_BYTES: 65_536, SEGMENT_BYTES_MIN: 1 } as const;

export const KEPT_PROJECT: TestProject = { name: "kept", secret: "project-secret-of-the-kept-data-01234567" };
const SETTINGS = { corsOrigins: ["https://app.shop.com"], publicStreams: ["open/*"], limits: { streams: 50 } };

/** Two segments and a rest. */
const COLD_LINES = 40;
const COLD_LINE_BYTES = 4_000;
const COLD_TEXT = "line of a cold segment";

/** Streams whose whole content is compared; long ones by a hash. */
const STREAMS = ["orders", "orders-fork", "closed", "cold", "session", "wakes"] as const;
const SUBSCRIPTION = "worker";

export const keptUrl = (server: string, stream: string): string => `${server}/v1/stream/${KEPT_PROJECT.name}/${stream}`;

/** Fills a new server. */
export async function fillServer(server: string, dataDir: string): Promise<void> {
  await createProject(server, KEPT_PROJECT.name, { secret: KEPT_PROJECT.secret, ...SETTINGS });
  const url = (stream: string): string => keptUrl(server, stream);
  const asManager = bearer(KEPT_PROJECT);
  const json = { ...JSON_TYPE, ...asManager };
  await create(url("orders"), { headers: json, body: '[{"id":1},12345678901234567890,1.0]' });
  await subscribe(server, "orders");
  await addSubscription(server);
  for (const seq of [0, 1]) await must(append(url("orders"), `{"id":"${seq}"}`, { ...json, ...producer(seq) }));
  await create(url("orders-fork"), {
    headers: { ...asManager, "Stream-Forked-From": `/v1/stream/${KEPT_PROJECT.name}/orders` },
  });
  await must(append(url("orders-fork"), '"of the fork alone"', json));
  await create(url("closed"), { headers: { ...TEXT, ...asManager, "Stream-Closed": "true" }, body: "the whole of it" });
  await create(url("cold"), { headers: { ...TEXT, ...asManager } });
  for (let line = 0; line < COLD_LINES; line += 1) {
    const text = `${COLD_TEXT} ${line} `.padEnd(COLD_LINE_BYTES, ".");
    await must(append(url("cold"), text, asManager));
  }
  await until(() => hasColdSegments(dataDir), "a cold segment");
  await until(async () => (await get(url("session"), asManager)).text.includes('"id":"1"'), "the session's messages");
  await until(async () => (await get(url("wakes"), asManager)).text.includes(SUBSCRIPTION), "a wake");
}

/** What a server says of all that was filled in, as data that another server's answers can be compared with. */
export async function describeServer(server: string): Promise<unknown> {
  const asManager = bearer(KEPT_PROJECT);
  const streams: Record<string, unknown> = {};
  for (const stream of STREAMS) streams[stream] = keptPart(await get(keptUrl(server, stream), asManager));
  const root = `${server}/v1`;
  const admin = { Authorization: `Bearer ${ADMIN_SECRET}` };
  const [project, listed, session, followers, subscription] = await Promise.all([
    parsed(get(`${root}/projects/${KEPT_PROJECT.name}`, admin)),
    parsed(get(`${root}/projects/${KEPT_PROJECT.name}/streams`, asManager)),
    parsed(get(`${root}/estuary/${KEPT_PROJECT.name}/session`, asManager)),
    parsed(get(`${root}/estuary/subscribe/${KEPT_PROJECT.name}/orders`, asManager)),
    parsed(get(`${keptUrl(server, "__ds")}/subscriptions/${SUBSCRIPTION}`, asManager)),
  ]);
  return { streams, project, listed, session, followers, subscription };
}

/** Sessions end when nobody uses them for a year at the most: those of an old archive are given a use of today. */
export function renewSessions(dataDir: string, nowMs: number): void {
  const files = readdirSync(join(dataDir, "do"), { recursive: true, encoding: "utf8" });
  for (const file of files.filter((path) => /StreamDO\/[0-9a-f]{64}\.sqlite$/.test(path))) {
    const database = new DatabaseSync(join(dataDir, "do", file));
    const hasStream = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'stream'").get() !== undefined;
    if (hasStream) database.prepare("UPDATE stream SET touched_at_ms = ? WHERE kind = 'session'").run(nowMs);
    database.close();
  }
}

/** A worker takes the wake that waits. @returns the answer, with a list of streams. */
export function claimWake(server: string): Promise<Answer> {
  const body = JSON.stringify({ worker: "w" });
  const url = `${keptUrl(server, "__ds")}/subscriptions/${SUBSCRIPTION}/claim`;
  return send("POST", url, { headers: { ...JSON_TYPE, ...bearer(KEPT_PROJECT) }, body });
}

async function subscribe(server: string, source: string): Promise<void> {
  const body = JSON.stringify({ estuaryId: "session", from: "-1", format: "envelope" });
  const url = `${server}/v1/estuary/subscribe/${KEPT_PROJECT.name}/${source}`;
  await must(send("POST", url, { headers: bearer(KEPT_PROJECT), body }));
}

async function addSubscription(server: string): Promise<void> {
  const headers = { ...JSON_TYPE, ...bearer(KEPT_PROJECT) };
  await create(keptUrl(server, "wakes"), { headers });
  const body = JSON.stringify({ type: "pull-wake", streams: ["orders"], pattern: "more/*", wake_stream: "wakes" });
  await must(send("PUT", `${keptUrl(server, "__ds")}/subscriptions/${SUBSCRIPTION}`, { headers, body }));
}

async function must(answer: Promise<Answer>): Promise<void> {
  const { status, text } = await answer;
  if (status >= 300) throw new Error(`It was answered ${status}: ${text}`);
}

const TEXT_LENGTH_MAX = 1_000;
const HEADERS = ["content-type", "stream-next-offset", "stream-closed", "etag"];

function keptPart({ status, headers, text }: Answer): object {
  const content = text.length > TEXT_LENGTH_MAX ? createHash("sha256").update(text).digest("hex") : text;
  return { status, ...Object.fromEntries(HEADERS.map((name) => [name, headers.get(name)])), content };
}

/** Moments that pass, and names that the server of another port has, are no data. */
async function parsed(answer: Promise<Answer>): Promise<unknown> {
  const { status, text } = await answer;
  const body: unknown = JSON.parse(text, (key: string, value: unknown) =>
    /^(?:expiresAt|usage)$/.test(key) ? undefined : value,
  );
  return { status, body };
}

function hasColdSegments(dataDir: string): boolean {
  return readdirSync(join(dataDir, "r2"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.parentPath.endsWith("blobs"))
    .some(({ parentPath, name }) => readFileSync(join(parentPath, name)).includes(COLD_TEXT));
}

const LIMIT_MS = 60_000;

async function until(isThere: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = AbortSignal.timeout(LIMIT_MS);
  while (!(await isThere())) {
    if (deadline.aborted) throw new Error(`There is still not ${what}.`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
