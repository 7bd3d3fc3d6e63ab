import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { SCHEMAS } from "../packages/core/src/data-version.ts";
import { tablesOf } from "../packages/core/src/kit/sql/schema.ts";
import { PAGES } from "./generate-docs.ts";

// The formatter aligns tables; what counts is the text.
const squeeze = (text: string): string => text.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---");

test.each(PAGES)("$path is what the source says; if not, run: npm run docs", ({ path, text }) => {
  expect(squeeze(readFileSync(path, "utf8"))).toBe(squeeze(text));
});

test("what cost.md wants to have confirmed, with the command that confirms it, is in to-be-confirmed.md", () => {
  const [cost, confirmed] = ["cost.md", "to-be-confirmed.md"].map(
    (name) => PAGES.find(({ path }) => path.pathname.endsWith(`/${name}`))?.text ?? "",
  );
  const [, section = ""] = cost?.split("## To be confirmed on the real network\n") ?? [];
  const named = [...section.matchAll(/`([a-z-]+)`/g)].map(([, id = ""]) => id);
  expect(named).toContain("cpu-billed");
  for (const id of named) expect(confirmed).toContain(`\n### \`${id}\`\n`);
});

test("storage.md says what the rows of every table are", () => {
  const page = readFileSync(new URL("../docs/storage.md", import.meta.url), "utf8");
  const missing = SCHEMAS.flatMap(tablesOf).filter(({ name }) => !page.includes(`\`${name}\``));
  expect(missing.map(({ kind, name }) => `${kind}: ${name}`)).toEqual([]);
});
