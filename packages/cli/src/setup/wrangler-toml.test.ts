/** What is scaffolded must be what this version of the server needs. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, it } from "vitest";

import { WRANGLER_VERSION } from "../cloudflare/wrangler.ts";
import { initialAnswers, type Answers } from "./answers.ts";
import { PNPM_VERSION } from "./scaffold.ts";
import { wranglerToml } from "./wrangler-toml.ts";

const ROOT = join(import.meta.dirname, "../../../..");
const ANSWERS: Answers = { ...initialAnswers("durable-streams", "path"), account: "0".repeat(32) };

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** Lines that decide how the Worker runs; names and ids are each user's own. */
function factsOf(toml: string): string[] {
  const isOwn = /^(#|account_id|id|main|bucket_name|name = "durable-streams"|$)/;
  return toml
    .split("\n")
    .map((line) => line.replace(/\s+#.*$/, "").trim())
    .filter((line) => !isOwn.test(line));
}

it("is the repository's own wrangler.toml, but for names and ids", () => {
  expect(factsOf(wranglerToml(ANSWERS, "1"))).toEqual(factsOf(read("wrangler.toml")));
});

it("has what was answered", () => {
  const answers: Answers = { ...ANSWERS, tenancy: "single", bucket: null, caching: true, domain: "s.example.com" };
  const toml = wranglerToml(answers, "the-id");
  expect(toml).toContain('TENANCY = "single"');
  expect(toml).not.toContain("r2_buckets");
  expect(toml).toContain("[cache]\nenabled = true");
  expect(toml).toContain('routes = [{ pattern = "s.example.com", custom_domain = true }]');
  expect(toml).toContain('binding = "REGISTRY"\nid = "the-id"');
});

it("installs the versions that this repository was tested with", () => {
  expect(read("pnpm-workspace.yaml")).toContain(`  wrangler: ${WRANGLER_VERSION}\n`);
  expect(read("package.json")).toContain(`"packageManager": "pnpm@${PNPM_VERSION}"`);
});
