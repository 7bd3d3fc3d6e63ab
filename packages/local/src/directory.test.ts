import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { formatOpenDirectoryWarning } from "./directory.ts";

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "directory-"));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

it("warns if other users can read a directory", () => {
  const path = join(parent, "data");
  mkdirSync(path, { mode: 0o700 });
  expect(formatOpenDirectoryWarning(path)).toBe("");
  chmodSync(path, 0o755);
  expect(formatOpenDirectoryWarning(path)).toContain(`chmod 700 '${path}'`);
  expect(formatOpenDirectoryWarning(path, "win32")).toBe("");
});
