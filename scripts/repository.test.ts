/** What the files of this repository promise each other. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";

import { expect, test } from "vitest";

import { initialAnswers } from "../packages/cli/src/setup/answers.ts";
import { wranglerToml } from "../packages/cli/src/setup/wrangler-toml.ts";
import { parseConfig } from "../packages/server/src/config.ts";

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

test("the template of the Deploy button is this repository's Worker, and depends on nothing of the workspace", () => {
  const withoutOwn = (toml: string): string => toml.replace(/^#.*\n/, "").replace(/^main = .*\n/m, "");
  expect(withoutOwn(read("templates/cloudflare/wrangler.toml"))).toBe(withoutOwn(read("wrangler.toml")));
  const manifest = read("templates/cloudflare/package.json");
  expect(manifest).not.toMatch(/workspace:|catalog:/);
  const { version } = JSON.parse(read("packages/server/package.json")) as { version: string };
  expect(manifest).toContain(`"@durable-streams-cloudflare/server": "^${version}"`);
  const [, wrangler] = /^ {2}wrangler: (.*)$/m.exec(read("pnpm-workspace.yaml")) ?? [];
  expect(manifest).toContain(`"wrangler": "${wrangler}"`);
});

test("no query string, which may hold the right to read, gets into the logs of a Worker that we deploy or write", () => {
  const shipped = execFileSync("git", ["ls-files", "*wrangler*.toml", "*wrangler*.json*"], {
    cwd: root,
    encoding: "utf8",
  });
  const paths = shipped.trim().split("\n");
  expect(paths).toContain("wrangler.toml");
  const written = wranglerToml({ ...initialAnswers("durable-streams", "path"), account: "0".repeat(32) }, "the-id");
  for (const toml of [...paths.map(read), written]) {
    const sections = toml.split(/^(?=\[)/m);
    expect(sections.find((section) => section.startsWith("[observability]\n"))).toMatch(
      /^redact_query_string = true$/m,
    );
    expect(sections.find((section) => section.startsWith("[observability.logs]\n"))).toMatch(
      /^invocation_logs = false$/m,
    );
  }
});

test("the Deploy button asks for secrets with values that the server refuses", () => {
  const example = parseEnv(read("templates/cloudflare/.dev.vars.example"));
  expect(Object.keys(example)).toEqual(["ADMIN_SECRET"]);
  expect(() => parseConfig(example)).toThrow("ADMIN_SECRET must be");
  const { cloudflare } = JSON.parse(read("templates/cloudflare/package.json")) as {
    cloudflare: { bindings: Record<string, unknown> };
  };
  const toml = read("wrangler.toml");
  for (const name of Object.keys(cloudflare.bindings)) expect(toml + Object.keys(example).join()).toContain(name);
});
