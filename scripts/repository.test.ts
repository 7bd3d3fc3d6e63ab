/** What the files of this repository promise each other. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

test("every mention of pnpm names one version", () => {
  const workflows = readdirSync(join(root, ".github/workflows")).map((name) => `.github/workflows/${name}`);
  const mentions = ["package.json", "CONTRIBUTING.md", ...workflows].flatMap(
    (file) => read(file).match(/pnpm@[\d.]+/g) ?? [],
  );
  expect(new Set(mentions).size).toBe(1);
});

test("tests and deployments run the same workerd", () => {
  const versions = read("pnpm-lock.yaml").match(/^ {2}(workerd|wrangler)@[\d.]+:$/gm) ?? [];
  expect(new Set(versions).size).toBe(2);
});

test("the lockfile names no registry", () => {
  expect(read("pnpm-lock.yaml")).not.toMatch(/https?:/);
});

test("published packages have the same version, and only those are published", () => {
  const packages = readdirSync(join(root, "packages")).map(
    (name) =>
      JSON.parse(read(`packages/${name}/package.json`)) as {
        version: string;
        private?: boolean;
        publishConfig?: object;
      },
  );
  const published = packages.filter((manifest) => manifest.private !== true);
  expect(new Set(published.map(({ version }) => version)).size).toBe(1);
  expect(published.every(({ publishConfig }) => publishConfig !== undefined)).toBe(true);
});
