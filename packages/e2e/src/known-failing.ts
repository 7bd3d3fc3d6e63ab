/** Holds a run of the official suite against `conformance/known-failing.txt`: the list must be exact. */
import { readFileSync } from "node:fs";

import type { SuiteTest } from "./conformance-suite.ts";

/** The only tests that may be skipped: they run with `subscriptions: true`. */
const SKIPPED_GROUP = "Reserved subscription APIs";

/** The full names of the tests that fail for now, one a line; `#` starts a comment. */
export function readKnownFailing(): readonly string[] {
  const text = readFileSync(new URL("../conformance/known-failing.txt", import.meta.url), "utf8");
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

/** What is not as listed, in words for a reader; nothing when the list is exact. */
export function deviations(tests: readonly SuiteTest[], knownFailing: readonly string[]): string {
  const known = new Set(knownFailing);
  const named = (status: SuiteTest["status"]) => tests.filter((test) => test.status === status);
  const seen = new Set(tests.map(({ name }) => name));
  const sections: Record<string, readonly string[]> = {
    "fails, but is not in known-failing.txt": named("failed")
      .filter(({ name }) => !known.has(name))
      .map(({ name, message }) => `${name}\n      ${firstLine(message)}`),
    "passes: remove it from known-failing.txt": named("passed").flatMap(({ name }) => (known.has(name) ? [name] : [])),
    "is in known-failing.txt, but not in the suite": knownFailing.filter((name) => !seen.has(name)),
    "is in known-failing.txt twice": knownFailing.filter((name, index) => knownFailing.indexOf(name) !== index),
    "was skipped": named("skipped").flatMap(({ name }) => (name.startsWith(SKIPPED_GROUP) ? [] : [name])),
  };
  return Object.entries(sections)
    .filter(([, names]) => names.length > 0)
    .map(([title, names]) => [`${title}:`, ...names.map((name) => `    ${name}`)].join("\n"))
    .join("\n");
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0] ?? "";
}
