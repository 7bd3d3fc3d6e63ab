import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { PAGES } from "./generate-docs.ts";

// The formatter aligns tables; what counts is the text.
const squeeze = (text: string): string => text.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---");

test.each(PAGES)("$path is what the source says; if not, run: npm run docs", ({ path, text }) => {
  expect(squeeze(readFileSync(path, "utf8"))).toBe(squeeze(text));
});
