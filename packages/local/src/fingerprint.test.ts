import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it, onTestFinished } from "vitest";

import { fingerprint, haveChangedSince, isCurrent } from "./fingerprint.ts";

function temporaryRoot(): string {
  const root = mkdtempSync(join(tmpdir(), "fingerprint-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

it("is current until a file is changed, created or removed", () => {
  const root = temporaryRoot();
  const there = join(root, "there.ts");
  const absent = join(root, "absent.ts");
  writeFileSync(there, "1");
  const known = fingerprint(root, ["there.ts", "absent.ts"]);

  expect(isCurrent(root, known)).toBe(true);
  writeFileSync(there, "2");
  expect(isCurrent(root, known)).toBe(false);
  writeFileSync(there, "1");
  expect(isCurrent(root, known)).toBe(true);
  writeFileSync(absent, "");
  expect(isCurrent(root, known)).toBe(false);
  rmSync(absent);
  rmSync(there);
  expect(isCurrent(root, known)).toBe(false);
});

it("notices a file that was written after a given time", () => {
  const root = temporaryRoot();
  writeFileSync(join(root, "a.ts"), "");
  utimesSync(join(root, "a.ts"), 1_000, 1_000);
  expect(haveChangedSince(root, ["a.ts", "absent.ts"], 1_000_001)).toBe(false);
  expect(haveChangedSince(root, ["a.ts", "absent.ts"], 1_000_000)).toBe(true);
});
