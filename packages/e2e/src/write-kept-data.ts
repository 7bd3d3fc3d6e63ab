/**
 * Writes the archive of a data directory that this server has filled, and what it answers of it, for the test that later
 * servers open it: `node packages/e2e/src/write-kept-data.ts NAME`, where NAME says which version that is.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer } from "@durable-streams-cloudflare/testkit/server-process";

import { describeServer, fillServer, KEPT_VARS } from "./kept-data.ts";

const [name] = process.argv.slice(2);
if (name === undefined || !/^[\w.-]+$/.test(name)) throw new Error("Name the archive: a word such as before-0.1");
const target = join(import.meta.dirname, "../fixtures", name);
const dataDir = mkdtempSync(join(tmpdir(), "kept-data-"));
try {
  const first = await startServer({ dataDir, vars: KEPT_VARS });
  await fillServer(first.url, dataDir);
  await first.stop();
  const second = await startServer({ dataDir, vars: KEPT_VARS });
  writeFileSync(`${target}.json`, `${JSON.stringify(await describeServer(second.url), undefined, 2)}\n`);
  await second.stop();
  const left = ["lock", "lock-journal", "server.json", "workerd", "tmp"].flatMap((path) => ["--exclude", `./${path}`]);
  const { status } = spawnSync("tar", ["-czf", `${target}.tar.gz`, ...left, "-C", dataDir, "."], { stdio: "inherit" });
  if (status !== 0) throw new Error(`tar ended with exit code ${status}.`);
} finally {
  rmSync(dataDir, { recursive: true, force: true });
}
