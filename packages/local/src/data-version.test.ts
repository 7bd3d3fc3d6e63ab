import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { claimDataVersion } from "./data-version.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "data-version-"));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const noted = (): unknown => JSON.parse(readFileSync(join(dataDir, "version.json"), "utf8"));

it("accepts a new directory, its own, and that of an older server, and records its version", () => {
  claimDataVersion(dataDir, { stream: 6 });
  claimDataVersion(dataDir, { stream: 6 });
  claimDataVersion(dataDir, { stream: 7, project: 2 });
  expect(noted()).toEqual({ stream: 7, project: 2 });
});

it.each([{ stream: 7 }, { stream: 6, project: 1 }])("refuses the data of a newer server: %j", (newer) => {
  claimDataVersion(dataDir, newer);
  expect(() => claimDataVersion(dataDir, { stream: 6 })).toThrow(
    expect.objectContaining({
      message: expect.stringContaining("newer server"),
      fix: expect.stringContaining("backup"),
    }),
  );
  expect(noted()).toEqual(newer);
});

it("writes the record again if it cannot be read", () => {
  for (const text of ["", "{", "null", "[]", '{"stream":"x"}']) {
    writeFileSync(join(dataDir, "version.json"), text);
    claimDataVersion(dataDir, { stream: 6 });
    expect(noted()).toEqual({ stream: 6 });
  }
});
