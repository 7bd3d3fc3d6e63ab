/** `AUTH_MODE=trusted-header` over real connections: what a proxy sends, and what somebody sends who is none. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { tryToLaunch } from "../src/launcher.ts";
import { exchange, statusIn } from "../src/raw-socket.ts";
import { append, codeOf, create, get, JSON_TYPE, send } from "../src/requests.ts";
import { useServer } from "../src/test-server.ts";

const ORIGIN_SECRET = "a-secret-of-the-proxy-0123456789";
const PROOF = { "Stream-Origin-Secret": ORIGIN_SECRET };
const claims = (user = "alice", scope = "manage"): Record<string, string> => ({
  "X-JWT-Sub": user,
  "X-JWT-Exp": String(Math.floor(Date.now() / 1000) + 600),
  "X-JWT-Scope": scope,
  "X-JWT-Stream-Id": "*",
});

const server = useServer({ TENANCY: "single", AUTH_MODE: "trusted-header", ORIGIN_SECRET });

it("[PJ17] claims with the proxy's proof count, and without it nothing does", async () => {
  const url = server.newUrl();
  await create(url, { headers: { ...JSON_TYPE, ...PROOF, ...claims() }, body: "[1]" });
  expect((await append(url, "[2]", { ...JSON_TYPE, ...PROOF, ...claims("bob", "write") })).status).toBe(204);
  expect((await append(url, "[3]", { ...JSON_TYPE, ...PROOF, ...claims("bob", "read") })).status).toBe(403);
  expect((await get(url, { ...PROOF, ...claims("bob", "read") })).text).toBe("[1,2]");
  for (const headers of [claims(), {}, { ...claims(), "Stream-Origin-Secret": `${ORIGIN_SECRET}x` }]) {
    const answer = await get(url, headers);
    expect([answer.status, codeOf(answer)]).toEqual([401, "proxy-required"]);
  }
  expect(codeOf(await get(url, PROOF))).toBe("unauthenticated");
});

it("the user of the claims is the verified author of an append", async () => {
  const url = server.newUrl();
  const name = new URL(url).pathname.split("/").at(-1);
  const headers = { ...JSON_TYPE, ...PROOF, ...claims("alice"), "Stream-Record-Author": "true" };
  await create(url, { headers, body: '["first"]' });
  await append(url, '["second"]', { ...JSON_TYPE, ...PROOF, ...claims("bob") });
  const subscribe = `${server.url}/v1/estuary/subscribe/${name}`;
  const body = JSON.stringify({ estuaryId: "session", from: "-1", format: "envelope" });
  expect((await send("POST", subscribe, { headers: { ...PROOF, ...claims() }, body })).status).toBe(200);
  const authors = async (): Promise<unknown> => {
    const { text } = await get(`${server.url}/v1/stream/session`, { ...PROOF, ...claims() });
    return (JSON.parse(text) as { author?: string }[]).map(({ author }) => author);
  };
  await expect.poll(authors, { timeout: 30_000 }).toEqual(["alice", "bob"]);
});

it.each(Object.keys(claims()))("[PJ18] %s twice on the wire is refused", async (name) => {
  const lines = Object.entries({ Host: "localhost", ...PROOF, ...claims(), Connection: "close" });
  const ask = (more: readonly [string, string][]): Promise<string> => {
    const head = [...lines, ...more].map(([header, value]) => `${header}: ${value}\r\n`).join("");
    return exchange({ server: server.url, bytes: `GET /v1/stream/missing HTTP/1.1\r\n${head}\r\n` });
  };
  expect(statusIn(await ask([]))).toBe(404);
  const refused = await ask([[name, claims()[name] ?? ""]]);
  expect(statusIn(refused)).toBe(401);
  expect(refused).toContain("sent once");
});

describe("a server that would trust anybody", () => {
  it("does not start", () => {
    const dataDir = mkdtempSync(join(tmpdir(), "trusting-"));
    const { status, stderr } = tryToLaunch(dataDir, ["--port", "0", "--var", "AUTH_MODE:trusted-header"]);
    rmSync(dataDir, { recursive: true, force: true });
    expect([status, stderr]).toEqual([2, expect.stringContaining("ORIGIN_SECRET must be set")]);
  });
});
