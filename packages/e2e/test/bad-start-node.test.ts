/** Data directories that the engine node cannot use: each is refused with what to do, and nothing in it is lost. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { append, create, LAUNCHER, metricsOf, read } from "../src/launcher.ts";
import { isAllowedToMount, mountReadOnly, mountSmall, unmount } from "../src/mount.ts";

const NOBODY = 65_534;
const IS_ROOT = process.getuid?.() === 0;

let root: string;
let dataDir: string;
let servers: ServerProcess[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bad-start-"));
  chmodSync(root, 0o755);
  dataDir = join(root, "data");
  servers = [];
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.kill9()));
  unmount(dataDir);
  rmSync(root, { recursive: true, force: true });
});

async function start(): Promise<ServerProcess> {
  const server = await startServer({ dataDir, flags: ["--metrics-port", "0"] });
  servers.push(server);
  return server;
}

/** @param uid of another user, who starts it. */
function launch(uid?: number): { readonly status: number | null; readonly stderr: string } {
  const argv = [LAUNCHER, "--engine", "node", "--data-dir", dataDir, "--port", "0"];
  const options = { encoding: "utf8", timeout: 30_000, ...(uid === undefined ? {} : { uid, gid: uid }) } as const;
  return spawnSync(process.execPath, argv, options);
}

/** @returns what brings it back. */
type Damage = (path: string) => () => void;

const hide =
  (suffix: string): Damage =>
  (path) => {
    renameSync(path + suffix, `${path}${suffix}.hidden`);
    return () => renameSync(`${path}${suffix}.hidden`, path + suffix);
  };

const overwrite =
  (suffix: string): Damage =>
  (path) => {
    const before = readFileSync(path + suffix);
    writeFileSync(path + suffix, "x".repeat(8_192));
    return () => writeFileSync(path + suffix, before);
  };

const asNewer: Damage = (path) => {
  const set = (text: string): void => {
    const sqlite = new DatabaseSync(path);
    sqlite.exec(text);
    sqlite.close();
  };
  set("UPDATE schema_versions SET version = version + 1000");
  return () => set("UPDATE schema_versions SET version = version - 1000");
};

interface Bad {
  readonly end: "stop" | "kill9";
  readonly damage: Damage;
  readonly says: RegExp;
}

const BAD: Readonly<Record<string, Bad>> = {
  "the log of a server that was killed is missing": {
    end: "kill9",
    damage: hide("-wal"),
    says: /sqlite-wal is missing[^]*Fix: put the file back/,
  },
  "the database of a server that was killed is missing": {
    end: "kill9",
    damage: hide(""),
    says: /streams\.sqlite is missing[^]*Fix: put the file back/,
  },
  "the database was written by a newer server": {
    end: "stop",
    damage: asNewer,
    says: /was written by a newer server: .*1\d\d\d[^]*Fix: start the newer server/,
  },
  "the database is damaged": {
    end: "stop",
    damage: overwrite(""),
    says: /streams\.sqlite is damaged[^]*Fix: restore a backup/,
  },
  "the lock is damaged": { end: "stop", damage: overwrite("-lock"), says: /-lock is damaged[^]*Fix: remove it.*rm '/ },
  "a file is where the segments belong": {
    end: "stop",
    damage: (path) => {
      const segments = join(path, "../segments");
      writeFileSync(segments, "");
      return () => rmSync(segments);
    },
    says: /cannot be made[^]*Fix: /,
  },
};

it.each(Object.entries(BAD))("%s", async (_, { end, damage, says }) => {
  const server = await start();
  await create(server.url);
  await append(server.url, "kept");
  await server[end]();
  const undo = damage(join(dataDir, "streams.sqlite"));
  const { status, stderr } = launch();
  expect(stderr).toMatch(says);
  expect(stderr).toMatch(/^✗ .*\n {2}Fix: .*\n$/);
  expect(status).toBe(1);
  undo();
  expect(await read((await start()).url)).toEqual(["kept"]);
});

it("the log of a server that was killed is missing, and the operator goes on without it as the message says", async () => {
  const server = await start();
  await create(server.url);
  await server.kill9();
  rmSync(join(dataDir, "streams.sqlite-wal"));
  const [, lock = ""] = /rm '(.*)'/.exec(launch().stderr) ?? [];
  rmSync(lock);
  expect((await fetch(`${(await start()).url}/v1/stream/kept`)).status).toBe(404);
});

describe("the directory may not be used by this user", () => {
  it.each([
    ["the directory", ""],
    ["the database", "streams.sqlite"],
  ])("because of the permissions of %s", async (_, name) => {
    const server = await start();
    await create(server.url);
    await append(server.url, "kept");
    await server.stop();
    const path = join(dataDir, name);
    // A superuser may do everything, so somebody else tries.
    if (IS_ROOT && name !== "")
      for (const each of ["", "lock", "tmp", "version.json"]) chownSync(join(dataDir, each), NOBODY, NOBODY);
    if (!IS_ROOT) chmodSync(path, 0);
    const { status, stderr } = launch(IS_ROOT ? NOBODY : undefined);
    chmodSync(path, 0o700);
    expect(stderr).toMatch(
      /✗ The data directory .* may not be read or written by this user[^]*Fix: start the server as the owner/,
    );
    expect(stderr).not.toContain("    at ");
    expect(status).toBe(1);
    if (IS_ROOT) for (const each of ["", "lock", "tmp", "version.json"]) chownSync(join(dataDir, each), 0, 0);
    expect(await read((await start()).url)).toEqual(["kept"]);
  });
});

describe.skipIf(!isAllowedToMount())("on a file system", () => {
  it("that is read-only", async () => {
    const server = await start();
    await create(server.url);
    await append(server.url, "kept");
    await server.stop();
    mountReadOnly(dataDir);
    const { status, stderr } = launch();
    expect(stderr).toMatch(/^✗ The data directory .*read-only[^]*Fix: /);
    expect(stderr).not.toContain("    at ");
    expect(status).toBe(1);
    unmount(dataDir);
    expect(await read((await start()).url)).toEqual(["kept"]);
  });

  it("that is full", () => {
    mountSmall(dataDir, 1);
    spawnSync("dd", ["if=/dev/zero", `of=${join(dataDir, "other")}`, "bs=64k"]);
    const { status, stderr } = launch();
    expect(stderr).toMatch(/^✗ The (?:disk of|data directory) .*(?:full|no space)[^]*Fix: free some space/);
    expect(status).toBe(1);
  });
});

it("[DU3] of pages that are damaged the requests fail that need them, the others work, and the server stays", async () => {
  const server = await start();
  await create(server.url);
  await append(server.url, "kept");
  const names = Array.from({ length: 40 }, (_, index) => `${server.url}/v1/stream/s${index}`);
  const body = "x".repeat(20_000);
  for (const url of names) await fetch(url, { method: "PUT", headers: { "Content-Type": "text/plain" }, body });
  await server.stop();
  const path = join(dataDir, "streams.sqlite");
  const pages = readFileSync(path);
  const at = (offset: number): string => pages.toString("latin1", offset, offset + 4_096);
  // Those that are full of one stream's bytes.
  for (let offset = 0; offset < pages.length; offset += 4_096 * 3) {
    if (at(offset).includes("x".repeat(3_900))) pages.fill(0xaa, offset, offset + 4_096);
  }
  writeFileSync(path, pages);
  const again = await start();
  const answers = await Promise.all(names.map((_, index) => fetch(`${again.url}/v1/stream/s${index}`)));
  const wrong: string[] = [];
  let failed = 0;
  for (const answer of answers) {
    const text = await answer.text().catch(() => "interrupted");
    // Never other bytes than those that were stored.
    if (answer.status === 200 && text !== body && text !== "interrupted") wrong.push(text);
    if (answer.status !== 200 && !text.includes('"code":"internal"')) wrong.push(text);
    if (text !== body) failed += 1;
  }
  expect(wrong).toEqual([]);
  expect(failed).toBeGreaterThan(0);
  expect(await read(again.url)).toEqual(["kept"]);
  await append(again.url, "later");
  expect(await metricsOf(again)).toContain("durable_streams_up 1\n");
  expect(again.log()).toContain("malformed");
  expect(existsSync(path)).toBe(true);
  expect(await again.stop()).toBe(0);
});
