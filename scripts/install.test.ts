/** `npm start` installs what is missing, and asks nobody when nothing is. */
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

const NOW_MS = Date.now();
const LOCKFILE = "lockfileVersion: '9.0'\n";
const MANIFESTS = ["package.json", "pnpm-workspace.yaml", "packages/one/package.json"];

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "install-"));
  write("scripts/install.mjs", "");
  copyFileSync(join(import.meta.dirname, "install.mjs"), join(root, "scripts/install.mjs"));
  write("package.json", JSON.stringify({ packageManager: "pnpm@1.2.3+sha512.0a" }));
  write("pnpm-workspace.yaml", "");
  write("packages/one/package.json", "{}");
  write("pnpm-lock.yaml", LOCKFILE);
  for (const path of MANIFESTS) touch(path, NOW_MS - 60_000);
  // Instead of npx: says how it was called, and fails when it is told to.
  write("bin/npx", '#!/bin/sh\necho "npx $*"\nexit "${STATUS:-0}"\n');
  chmodSync(join(root, "bin/npx"), 0o755);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function touch(path: string, timeMs: number): void {
  utimesSync(join(root, path), timeMs / 1000, timeMs / 1000);
}

/** As pnpm leaves it. */
function installed(): void {
  write("node_modules/.pnpm/lock.yaml", LOCKFILE);
  write("node_modules/.pnpm-workspace-state-v1.json", JSON.stringify({ lastValidatedTimestamp: NOW_MS }));
}

function run(env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/install.mjs"], {
    cwd: root,
    env: { PATH: `${join(root, "bin")}:/bin:/usr/bin`, ...env },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

const INSTALLS = { status: 0, stdout: "npx --yes --prefer-offline pnpm@1.2.3 install\n" };

it("says and asks nothing when everything is installed", () => {
  installed();
  expect(run()).toEqual({ status: 0, stdout: "", stderr: "" });
});

it("installs by the pnpm that a workflow names", () => {
  expect(run({ PNPM_COMMAND: "npx corepack pnpm" })).toMatchObject({
    status: 0,
    stdout: "npx corepack pnpm install\n",
  });
});

it("installs in a fresh clone, and says so", () => {
  expect(run()).toMatchObject({ ...INSTALLS, stderr: expect.stringContaining("Installing what is missing") });
});

it.each<[string, () => void]>([
  ["the lockfile has changed", () => write("pnpm-lock.yaml", `${LOCKFILE}\npackages: {}\n`)],
  ["a manifest has changed", () => touch("packages/one/package.json", NOW_MS + 60_000)],
  ["the last install did not end", () => rmSync(join(root, "node_modules/.pnpm-workspace-state-v1.json"))],
  ["its packages are gone", () => rmSync(join(root, "node_modules/.pnpm"), { recursive: true })],
])("installs again when %s", (_, change) => {
  installed();
  change();
  expect(run()).toMatchObject(INSTALLS);
});

it("ends as the install does, so that nothing starts on half of it", () => {
  expect(run({ STATUS: "7" }).status).toBe(7);
});
