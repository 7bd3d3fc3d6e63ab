/** Words and phrases of `retired-words.ts` do not come back: not in documents, not in the source. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { RETIRED_WORDS, type RetiredWord } from "./retired-words.ts";
import { documentProse, namesOf, partsOf, sourceProse, type Found } from "./words.ts";

const root = join(import.meta.dirname, "..");
const GLOSSARY = "docs/glossary.md";

const tracked = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" }).trim().split("\n");
const documents = tracked.filter((path) => /\.md$|(?:^|\/)wrangler\.toml$/.test(path));
// The table of retired words has them all, and this test has some as examples.
const HAVE_RETIRED_WORDS = ["scripts/retired-words.ts", "scripts/words.test.ts"];
const sources = tracked.filter((path) => path.endsWith(".ts") && !HAVE_RETIRED_WORDS.includes(path));

function read(path: string): string {
  const text = readFileSync(join(root, path), "utf8");
  return path === GLOSSARY ? text.slice(0, text.indexOf("\n## Retired words")) : text;
}

/** Any letter case, and line breaks where the pattern has a space. */
function loose(pattern: RegExp): RegExp {
  return new RegExp(pattern.source.replaceAll(" ", String.raw`\s+`), "gi");
}

function hint({ word, write }: RetiredWord, path: string, { line, text }: Found): string {
  return `${path}:${line}: "${text.replaceAll(/\s+/g, " ")}" (${word}): write ${write}`;
}

/** Where the pattern finds something. Lines are counted from 1. */
function findings(pattern: RegExp | undefined, prose: string): Found[] {
  if (pattern === undefined) return [];
  return [...prose.matchAll(loose(pattern))].map(({ 0: text, index }) => ({
    line: prose.slice(0, index).split("\n").length,
    text,
  }));
}

function faultsIn(
  paths: readonly string[],
  find: (word: RetiredWord, path: string, text: string) => Found[],
): string[] {
  return paths.flatMap((path) => {
    const text = read(path);
    return RETIRED_WORDS.flatMap((word) => find(word, path, text).map((found) => hint(word, path, found)));
  });
}

test("no document has a retired word", () => {
  expect(documents).toContain("README.md");
  const prose = new Map(documents.map((path) => [path, documentProse(path, read(path))]));
  expect(faultsIn(documents, (word, path) => findings(word.documents, prose.get(path) ?? ""))).toEqual([]);
});

test("no comment and no text in the source has a retired word", () => {
  const prose = new Map(sources.map((path) => [path, sourceProse(read(path))]));
  expect(
    faultsIn(sources, (word, path) =>
      findings(word.source === true ? word.documents : word.source, prose.get(path) ?? ""),
    ),
  ).toEqual([]);
});

test("no name in the source has a retired word", () => {
  const names = new Map(sources.map((path) => [path, namesOf(read(path))]));
  const isRetired = ({ names: pattern, allowedNames = [] }: RetiredWord, name: string): boolean =>
    pattern !== undefined && pattern.test(partsOf(name)) && !allowedNames.includes(name);
  expect(
    faultsIn(sources, (word, path) => (names.get(path) ?? []).filter(({ text }) => isRetired(word, text))),
  ).toEqual([]);
});

test("the glossary lists the same words", () => {
  const [, section = ""] = readFileSync(join(root, GLOSSARY), "utf8").split("\n## Retired words");
  const rows = [...section.matchAll(/^\| (.*?) +\| (.*?) +\|$/gm)].map(([, word, write]) => [word, write]);
  expect(rows.slice(2)).toEqual(RETIRED_WORDS.map(({ word, write }) => [word, write]));
});

describe.each(RETIRED_WORDS.filter(({ documents: pattern }) => pattern !== undefined))("$word", (word) => {
  test.each(word.wrong ?? [])("is found in: %s", (text) => {
    expect(findings(word.documents, documentProse("x.md", text))).toHaveLength(1);
  });

  test.each(word.fine ?? [])("is not found in: %s", (text) => {
    expect(findings(word.documents, documentProse("x.md", text))).toEqual([]);
  });

  test("has examples", () => {
    expect([word.wrong?.length, word.fine?.length]).not.toContain(undefined);
  });
});

describe("what is looked at", () => {
  test("a name is its parts", () => {
    expect(["callAgain", "CALL_AGAIN", "CallAgain", "call_again", "#callAgain"].map(partsOf)).toEqual(
      Array<string>(5).fill("call again"),
    );
    expect(partsOf("parseJSONBody2")).toBe("parse json body 2");
  });

  test("of a document, everything but code, targets of links and the front matter", () => {
    const text = '---\n"debt": minor\n---\n\nA `debt` [here](debt.md).\n\n```\ndebt\n```\n\n| debt | x |\n';
    expect(findings(/\bdebts?\b/, documentProse("x.md", text))).toEqual([{ line: 11, text: "debt" }]);
    expect(findings(/\bdebts?\b/, documentProse("x.toml", 'debt = "debt" # a\n# debt\n'))).toEqual([
      { line: 2, text: "debt" },
    ]);
  });

  test("of the source, comments and texts on the one hand, names on the other", () => {
    const text = '/** The old\n * debt. */\nconst debt = "a debt"; // a `debt`\nconst pattern = /"debt/;\nx.debts;\n';
    expect(findings(/\b(?:old )?debts?\b/, sourceProse(text))).toEqual([
      { line: 1, text: expect.stringMatching(/^old\s+debt$/) },
      { line: 3, text: "debt" },
    ]);
    expect(namesOf(text).map(({ text: name }) => name)).toEqual(["const", "debt", "const", "pattern", "x", "debts"]);
  });
});
