/** What a reader can take in: short files, folders that can be scanned, comments that fit into a terminal. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { expect, test } from "vitest";

const FILE_LINES_MAX = 350;
const FOLDER_FILES_MAX = 16;
const COLUMNS_MAX = 128;
const root = join(import.meta.dirname, "..");

const files = execFileSync("git", ["ls-files", "*.ts", "*.mjs", "*.js"], { cwd: root, encoding: "utf8" })
  .trim()
  .split("\n")
  .filter((path) => existsSync(join(root, path)));
const sources = files.filter((path) => /^(?:packages\/[^/]+\/src|scripts|templates)\//.test(path) && !isTest(path));

function isTest(path: string): boolean {
  return path.endsWith(".test.ts");
}

function linesOf(path: string): string[] {
  return readFileSync(join(root, path), "utf8").trimEnd().split("\n");
}

test(`no source file has more than ${FILE_LINES_MAX} lines`, () => {
  const lengths = sources.map((path) => ({ path, lines: linesOf(path).length }));
  expect(lengths.filter(({ lines }) => lines > FILE_LINES_MAX)).toEqual([]);
});

test(`no folder of core, http or server has more than ${FOLDER_FILES_MAX} source files`, () => {
  const layered = sources.filter((path) => /^packages\/(?:core|http|server)\//.test(path));
  const folders = [...Map.groupBy(layered, dirname)].map(([folder, { length }]) => ({ folder, length }));
  expect(folders.length).toBeGreaterThan(20);
  expect(folders.filter(({ length }) => length > FOLDER_FILES_MAX)).toEqual([]);
});

test(`no line of a comment has more than ${COLUMNS_MAX} columns`, () => {
  const comment = /^\s*(?:\/\*\*?|\*|\/\/) /;
  const comments = files.flatMap((path) =>
    linesOf(path)
      .filter((line) => comment.test(line) && !line.includes("://"))
      .map((line) => ({ path, line })),
  );
  expect(comments.length).toBeGreaterThan(1_000);
  expect(comments.filter(({ line }) => line.length > COLUMNS_MAX)).toEqual([]);
});
