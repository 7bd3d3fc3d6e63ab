/** The server that `npm start` starts takes its configuration from files and from the environment, on either engine. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, expect, it } from "vitest";

import { create, get, send, TEXT } from "../src/requests.ts";

let cwd: string;
let server: ServerProcess | undefined;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "layers-"));
  mkdirSync(join(cwd, "config"));
});

afterEach(async () => {
  await server?.kill9();
  rmSync(cwd, { recursive: true, force: true });
});

it("each layer counts, and relative paths begin where the server runs", async () => {
  writeFileSync(
    join(cwd, "config/default.toml"),
    '[http]\nstream_base_path = "/logs"\ncors_origins = ["https://a.example", "https://b.example"]\n[limits]\nmax_append_bytes = 4096\n',
  );
  writeFileSync(join(cwd, "config/prod.toml"), "[limits]\nmax_append_bytes = 1024\n");
  const env = { DS_PROFILE: "prod", DS_SERVER__LONG_POLL_TIMEOUT_SECS: "0.1" };
  server = await startServer({ dataDir: "data", cwd, env });
  const url = `${server.url}/logs/hello`;
  await create(url);
  const cors = await get(url, { Origin: "https://b.example" });
  expect(cors.headers.get("Access-Control-Allow-Origin")).toBe("https://b.example");
  expect((await send("POST", url, { headers: TEXT, body: "x".repeat(1_025) })).status).toBe(413);
  expect((await get(`${url}?offset=now&live=long-poll`)).status).toBe(204);
  expect(existsSync(join(cwd, "data/lock"))).toBe(true);
});

it("a configuration that is wrong starts nothing, and leaves nothing behind", async () => {
  writeFileSync(join(cwd, "config/default.toml"), "[server]\nprot = 1\n");
  const started = startServer({ dataDir: "data", cwd, env: { DS_HTTP__CORS_ORIGIN: "*" } });
  await expect(started).rejects.toThrow(
    /exit code 2:[^]*default\.toml:2:1: .*Did you mean server\.port\?[^]*Did you mean DS_HTTP__CORS_ORIGINS\?[^]*Fix: /,
  );
  expect(existsSync(join(cwd, "data"))).toBe(false);
});
