/** A front end with one short-lived token for what its user may do, from the official client and from a browser. */
import { existsSync } from "node:fs";

import { signToken } from "@durable-streams-cloudflare/testkit/token";
import { stream } from "@durable-streams/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { CHROMIUM, openPage, type BrowserPage } from "../src/browser-page.ts";
import { append, create, get, JSON_TYPE, send } from "../src/requests.ts";
import { bearer, createProject, PROJECT_VARS, type TestProject } from "../src/test-project.ts";
import { useServer } from "../src/test-server.ts";

const PROJECT = "app";
const server = useServer({ ...PROJECT_VARS, SSE_HEARTBEAT_SECONDS: 1 });
let project: TestProject;
let rooms = 0;

beforeAll(async () => {
  project = await createProject(server.url, PROJECT);
});

/** What the app's backend gives to a user's browser. */
function userToken(user: string, { secret }: Pick<TestProject, "secret"> = project): string {
  const rights = [
    { streams: "room-*", scope: "read" },
    { session: user, scope: "write" },
  ];
  return signToken(secret, { sub: PROJECT, exp: Math.floor(Date.now() / 1000) + 60, user, rights });
}

const urlOf = (name: string): string => `${server.url}/v1/stream/${PROJECT}/${name}`;
const asUser = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });

async function newStream(name: string, ...messages: readonly unknown[]): Promise<string> {
  await create(urlOf(name), { headers: { ...JSON_TYPE, ...bearer(project) } });
  for (const message of messages)
    await append(urlOf(name), JSON.stringify(message), { ...JSON_TYPE, ...bearer(project) });
  return name;
}

const newRoom = (...messages: readonly unknown[]): Promise<string> => newStream(`room-${(rooms += 1)}`, ...messages);

function join(room: string, session: string, token: string): Promise<number> {
  const parts = { headers: asUser(token), body: JSON.stringify({ estuaryId: session, from: "-1" }) };
  return send("POST", `${server.url}/v1/estuary/subscribe/${PROJECT}/${room}`, parts).then(({ status }) => status);
}

describe("one token of a user", () => {
  it("joins the user's session to several rooms, and follows it with the official client", async () => {
    const token = userToken("alice");
    const [first, second] = [await newRoom({ n: 1 }), await newRoom({ n: 2 })];
    expect([await join(first, "alice", token), await join(second, "alice", token)]).toEqual([200, 200]);
    const seen: number[] = [];
    const response = await stream<{ n: number }>({
      url: urlOf("alice"),
      headers: asUser(token),
      live: "sse",
      offset: "-1",
    });
    response.subscribeJson(({ items }) => void seen.push(...items.map(({ n }) => n)));
    await append(urlOf(first), `{"n":3}`, { ...JSON_TYPE, ...bearer(project) });
    await expect.poll(() => seen.toSorted((a, b) => a - b), { timeout: 20_000 }).toEqual([1, 2, 3]);
    response.cancel();
  });

  it("[PJ6] is refused for others' sessions, for what the user may not read, and for writing to a room", async () => {
    const token = userToken("bob");
    const room = await newRoom({ n: 1 });
    const hall = await newStream("hall", { secret: true });
    expect(await join(room, "bob", token)).toBe(200);
    expect(await join(room, "carol", token)).toBe(403);
    expect(await join(hall, "bob", token)).toBe(403);
    for (const name of [hall, "carol"]) expect((await get(urlOf(name), asUser(token))).status).toBe(403);
    expect((await append(urlOf(room), `{"n":2}`, { ...JSON_TYPE, ...asUser(token) })).status).toBe(403);
    expect((await get(urlOf(room), asUser(token))).status).toBe(200);
    for (const path of [
      `projects/${PROJECT}/streams`,
      `stream/${PROJECT}/__registry__`,
      `stream/${PROJECT}/__ds/subscriptions`,
    ])
      expect((await get(`${server.url}/v1/${path}`, asUser(token))).status).toBe(403);
  });

  it("that is revoked is replaced by the client, which goes on from where it was", async () => {
    const added = await send("POST", `${server.url}/v1/projects/${PROJECT}/secrets`, { headers: bearer(project) });
    const { secret: old } = JSON.parse(added.text) as { secret: { kid: string; secret: string } };
    const room = await newRoom({ n: 1 });
    expect(await join(room, "dave", userToken("dave"))).toBe(200);
    let token = userToken("dave", old);
    let connections = 0;
    const seen: number[] = [];
    const response = await stream<{ n: number }>({
      url: urlOf("dave"),
      headers: {
        Authorization: async () => {
          connections += 1;
          return `Bearer ${token}`;
        },
      },
      live: "sse",
      offset: "-1",
    });
    response.subscribeJson(({ items }) => void seen.push(...items.map(({ n }) => n)));
    await expect.poll(() => seen, { timeout: 20_000 }).toEqual([1]);
    const before = connections;
    token = userToken("dave");
    const path = `${server.url}/v1/projects/${PROJECT}/secrets/${old.kid}`;
    expect((await send("DELETE", path, { headers: bearer(project) })).status).toBe(200);
    expect((await get(urlOf(room), asUser(userToken("dave", old)))).status).toBe(401);
    await expect.poll(() => connections, { timeout: 20_000 }).toBeGreaterThan(before);
    await append(urlOf(room), `{"n":2}`, { ...JSON_TYPE, ...bearer(project) });
    await expect.poll(() => seen, { timeout: 20_000 }).toEqual([1, 2]);
    response.cancel();
  });
});

const isInstalled = existsSync(CHROMIUM);

describe.skipIf(!isInstalled)("in Chromium", () => {
  let page: BrowserPage;

  beforeAll(async () => {
    page = await openPage();
  });

  afterAll(async () => {
    await page?.close();
  });

  it("a page joins its own session to a room that it may read, and is refused for any other", async () => {
    const [room, hall] = [await newRoom({ n: 1 }, { n: 2 }), await newStream("private-hall", { secret: true })];
    const parts = { root: server.url, project: PROJECT, room, session: "erin", token: userToken("erin") };
    expect(await page.run("joinAndFollow", parts, 2)).toEqual([{ n: 1 }, { n: 2 }]);
    expect(await page.run("joinAndFollow", { ...parts, session: "frank" }, 1)).toBe(403);
    expect(await page.run("joinAndFollow", { ...parts, room: hall }, 1)).toBe(403);
  });
});
