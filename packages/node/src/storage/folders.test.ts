import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { makeDirectory } from "./folders.ts";

let parent: string;
beforeEach(() => {
  parent = fs.mkdtempSync(join(tmpdir(), "folders-"));
});
afterEach(() => {
  fs.rmSync(parent, { recursive: true, force: true });
});

const modeOf = (path: string): number => fs.statSync(path).mode & 0o777;

it("makes a directory and its parents so that no other user can enter it", () => {
  const path = join(parent, "a/b");
  makeDirectory(path);
  expect([modeOf(dirname(path)), modeOf(path)]).toEqual([0o700, 0o700]);
});

it("does not change an existing directory", () => {
  const path = join(parent, "open");
  fs.mkdirSync(path);
  fs.chmodSync(path, 0o755);
  makeDirectory(path);
  expect(modeOf(path)).toBe(0o755);
});

it("reports a file that is in the way", () => {
  fs.writeFileSync(join(parent, "file"), "");
  expect(() => makeDirectory(join(parent, "file/x"))).toThrow("EEXIST");
});

it.runIf(process.platform === "linux")("says so where no directory can be, instead of trying for ever", () => {
  expect(() => makeDirectory("/proc/x/y")).toThrow("ENOENT");
});
