import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { Failure } from "./failure.ts";
import { lockDataDir } from "./lock.ts";

let parent: string;
let dataDir: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "lock-"));
  dataDir = join(parent, "not/there/yet");
});

afterEach(() => rmSync(parent, { recursive: true, force: true }));

it("refuses a second server, and names the process and URL of the first one", () => {
  const lock = lockDataDir(dataDir);
  lock.announce("http://127.0.0.1:1");
  expect(() => lockDataDir(dataDir)).toThrow(Failure);
  expect(() => lockDataDir(dataDir)).toThrow(new RegExp(`process ${process.pid}, http://127\\.0\\.0\\.1:1`));
  lock.release();
});

it("can be taken again after it was released, and may be released twice", () => {
  const lock = lockDataDir(dataDir);
  lock.release();
  lock.release();
  expect(existsSync(join(dataDir, "server.json"))).toBe(false);
  lockDataDir(dataDir).release();
});

it("is free after its holder was killed, whatever files the holder left", async () => {
  const script = `import(${JSON.stringify(new URL("lock.ts", import.meta.url).href)})
    .then(({ lockDataDir }) => { lockDataDir(process.argv[1]); console.log("held"); setInterval(() => {}, 1e6); })`;
  const holder = spawn(process.execPath, ["-e", script, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  await once(holder.stdout, "data");
  expect(() => lockDataDir(dataDir)).toThrow(`process ${holder.pid}`);
  holder.kill("SIGKILL");
  await once(holder, "exit");
  expect(existsSync(join(dataDir, "server.json"))).toBe(true);
  lockDataDir(dataDir).release();
});

it("explains a data directory that is a file", () => {
  writeFileSync(join(parent, "file"), "");
  expect(() => lockDataDir(join(parent, "file"))).toThrow(/cannot be used, because it is a file/);
});

it("says of a damaged lock that it may be removed", () => {
  lockDataDir(dataDir).release();
  const path = join(dataDir, "lock");
  writeFileSync(path, "x".repeat(8192));
  expect(() => lockDataDir(dataDir)).toThrow(expect.objectContaining({ fix: expect.stringContaining(`rm '${path}'`) }));
  rmSync(path);
  lockDataDir(dataDir).release();
});
