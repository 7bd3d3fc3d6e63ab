/** What every document of this repository keeps to: its links lead somewhere, and it can be read in a terminal. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const COLUMNS_MAX = 128;
const FENCE = /^ *(?<fence>```+)[^]*?^ *\k<fence>$/gm;

const documents = execFileSync("git", ["ls-files", "*.md"], { cwd: root, encoding: "utf8" }).trim().split("\n");

/** A page without its blocks of code; lines keep their numbers. */
function pageOf(path: string): string {
  return readFileSync(join(root, path), "utf8").replaceAll(FENCE, (block) => block.replaceAll(/[^\n]/g, ""));
}

/** The anchors that GitHub gives to the headings of a page. */
function anchorsOf(page: string): Set<string> {
  const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_\- ]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

function isBroken(from: string, target: string): boolean {
  const [path = "", anchor] = target.split("#", 2);
  const page = path === "" ? from : normalize(join(dirname(from), path));
  if (!existsSync(join(root, page))) return true;
  return anchor !== undefined && page.endsWith(".md") && !anchorsOf(pageOf(page)).has(anchor);
}

/** Of every document: `path: what is wrong`. */
function faults(find: (path: string, page: string) => readonly string[]): string[] {
  return documents.flatMap((path) => find(path, pageOf(path)).map((fault) => `${path}: ${fault}`));
}

test("every link to a file or a heading of this repository leads there", () => {
  const brokenLinks = faults((path, page) =>
    [...page.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !/^[a-z]+:/.test(target) && isBroken(path, target)),
  );
  expect(brokenLinks).toEqual([]);
});

test(`no line of prose has more than ${COLUMNS_MAX} columns`, () => {
  const longLines = faults((_, page) =>
    page.split("\n").filter((line) => !line.startsWith("|") && line.length > COLUMNS_MAX),
  );
  expect(longLines).toEqual([]);
});

test("every TypeScript file that a page or a comment names exists", () => {
  const files = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" }).trim().split("\n");
  // A decision, like a changeset, speaks of the tree as it was then.
  const pages = documents.filter((path) => !/^(?:docs\/adr|\.changeset)\/|CHANGELOG/.test(path));
  const sources = files.filter((path) => /^packages\/[^/]+\/(?:src|test)\/.*\.ts$/.test(path));
  const missing = [...pages, ...sources].flatMap((path) => {
    const text = path.endsWith(".md") ? pageOf(path) : readFileSync(join(root, path), "utf8");
    const named = [...text.matchAll(/`([\w./-]*[\w-]\.ts)`/g)].map(([, name = ""]) =>
      name.replace(/^(?:\.{1,2}\/)+/, ""),
    );
    return named
      .filter((name) => !name.startsWith("x.") && !files.some((file) => file === name || file.endsWith(`/${name}`)))
      .map((name) => `${path}: ${name}`);
  });
  expect(missing).toEqual([]);
});
