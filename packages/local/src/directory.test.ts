import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { formatOpenDirectoryWarning, makePrivateDirectory } from "./directory.ts";

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "directory-"));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const modeOf = (path: string): number => statSync(path).mode & 0o777;

it("creates a directory and its parents so that no other user can enter it", () => {
  const path = join(parent, "a/b");
  makePrivateDirectory(path);
  expect([modeOf(join(parent, "a")), modeOf(path)]).toEqual([0o700, 0o700]);
  expect(formatOpenDirectoryWarning(path)).toBe("");
});

it("does not change an existing directory, and warns if other users can read it", () => {
  const path = join(parent, "open");
  mkdirSync(path);
  chmodSync(path, 0o755);
  makePrivateDirectory(path);
  expect(modeOf(path)).toBe(0o755);
  expect(formatOpenDirectoryWarning(path)).toContain(`chmod 700 '${path}'`);
  expect(formatOpenDirectoryWarning(path, "win32")).toBe("");
});

it("reports a file that is in the way", () => {
  writeFileSync(join(parent, "file"), "");
  expect(() => makePrivateDirectory(join(parent, "file/x"))).toThrow("EEXIST");
});

it.runIf(process.platform === "linux")("says so where no directory can be, instead of trying for ever", () => {
  expect(() => makePrivateDirectory("/proc/x/y")).toThrow("ENOENT");
});
