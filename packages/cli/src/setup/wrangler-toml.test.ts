/** The created files must be what this version of the server needs. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, it } from "vitest";

import { WRANGLER_VERSION } from "../cloudflare/wrangler.ts";
import { defaultAnswers, type Answers } from "./answers.ts";
import { PNPM_VERSION } from "./scaffold.ts";
import { rateLimitNamespace, wranglerToml } from "./wrangler-toml.ts";

const ROOT = join(import.meta.dirname, "../../../..");
const ANSWERS: Answers = { ...defaultAnswers("durable-streams", "path"), account: "0".repeat(32) };

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** The lines that determine how the Worker runs. */
const linesOf = (toml: string): string[] => toml.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

it("is the repository's own wrangler.toml except for names and ids", () => {
  const [own, ours] = [linesOf(read("wrangler.toml")), linesOf(wranglerToml(ANSWERS, "the-id"))];
  expect(ours.filter((line) => !own.includes(line))).toEqual([
    'main = "src/worker.ts"',
    `account_id = "${ANSWERS.account}"`,
    'id = "the-id"',
    `namespace_id = "${rateLimitNamespace(ANSWERS.name)}"`,
  ]);
  expect(own.filter((line) => !ours.includes(line))).toEqual([
    'main = "packages/server/src/worker.ts"',
    'namespace_id = "4437"',
  ]);
});

it("contains the answers", () => {
  const own = { name: "mine", bucket: "my-segments" };
  const answers: Answers = { ...ANSWERS, ...own, tenancy: "single", caching: true, domain: "s.example.com" };
  const toml = wranglerToml(answers, "the-id");
  expect(toml).toMatch(/^name = "mine"$/m);
  expect(toml).toContain('TENANCY = "single"');
  expect(toml).toContain('binding = "SEGMENTS"\nbucket_name = "my-segments"');
  expect(toml).toContain("\n[cache]\nenabled = true");
  expect(toml).toContain('routes = [{ pattern = "s.example.com", custom_domain = true }]');
  expect(toml).toContain('binding = "REGISTRY"\nid = "the-id"');
});

it("deployments of one account count their projects' requests apart, and the same one always in the same place", () => {
  const numbers = ["streams", "streams-staging", "a", "b"].map(rateLimitNamespace);
  expect(new Set([...numbers, "4437", "4438"]).size).toBe(6);
  for (const number of numbers) expect(number).toMatch(/^[1-9]\d{0,9}$/);
  expect(rateLimitNamespace("streams")).toBe(numbers[0]);
});

it("leaves out the sections that the answers turn off", () => {
  const toml = wranglerToml({ ...ANSWERS, bucket: null, queue: null, caching: false, domain: null }, "the-id");
  expect(toml).not.toMatch(/r2_buckets|queues|^\[cache\]|^routes/m);
});

it("installs the versions that this repository was tested with", () => {
  expect(read("pnpm-workspace.yaml")).toContain(`  wrangler: ${WRANGLER_VERSION}\n`);
  expect(read("package.json")).toContain(`"packageManager": "pnpm@${PNPM_VERSION}+sha512.`);
});
