/** What the files of this repository promise each other. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";

import { expect, test } from "vitest";

import { defaultAnswers } from "../packages/cli/src/setup/answers.ts";
import { wranglerToml } from "../packages/cli/src/setup/wrangler-toml.ts";
import { parseConfig } from "../packages/core/src/config.ts";

const root = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

const WORKFLOWS = readdirSync(join(root, ".github/workflows")).map((name) => `.github/workflows/${name}`);

test("every mention of pnpm names one version", () => {
  const mentions = ["package.json", "CONTRIBUTING.md", ...WORKFLOWS].flatMap(
    (file) => read(file).match(/pnpm@[\d.]+/g) ?? [],
  );
  const { dependencies } = JSON.parse(read(".ci/pnpm/package.json")) as { dependencies: Record<string, string> };
  expect(new Set([...mentions, ...Object.values(dependencies).map((version) => `pnpm@${version}`)]).size).toBe(1);
});

test("pnpm is known by its hash: to corepack, and to the workflows", () => {
  expect(read("package.json")).toMatch(/"packageManager": "pnpm@[\d.]+\+sha512\.[0-9a-f]{128}"/);
  const { packages } = JSON.parse(read(".ci/pnpm/package-lock.json")) as {
    packages: Record<string, { integrity?: string; resolved?: string }>;
  };
  const installed = Object.entries(packages).filter(([path]) => path !== "");
  expect(installed.length).toBeGreaterThan(0);
  for (const [path, { integrity, resolved }] of installed) {
    expect([path, resolved, integrity]).toEqual([path, undefined, expect.stringMatching(/^sha512-/)]);
  }
});

test("tests and deployments run the same workerd", () => {
  const versions = read("pnpm-lock.yaml").match(/^ {2}(workerd|wrangler)@[\d.]+:$/gm) ?? [];
  expect(new Set(versions).size).toBe(2);
});

test("the lockfile names no registry", () => {
  expect(read("pnpm-lock.yaml")).not.toMatch(/https?:\/\//);
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

test("a release publishes every published package, each after those that it depends on", () => {
  const [, list = ""] = /for package in (.*); do/.exec(read(".github/workflows/release.yml")) ?? [];
  const order = list.split(" ");
  const manifests = readdirSync(join(root, "packages")).map((folder) => {
    const manifest = JSON.parse(read(`packages/${folder}/package.json`)) as {
      readonly private?: boolean;
      readonly dependencies?: Readonly<Record<string, string>>;
    };
    return { ...manifest, name: folder };
  });
  const published = manifests.filter((manifest) => manifest.private !== true);
  expect(order.toSorted()).toEqual(published.map(({ name }) => name).toSorted());
  for (const { name, dependencies = {} } of published) {
    const own = Object.keys(dependencies).flatMap(
      (dependency) => /^@durable-streams-cloudflare\/(.*)$/.exec(dependency)?.[1] ?? [],
    );
    expect({ name, late: own.filter((dependency) => order.indexOf(dependency) > order.indexOf(name)) }).toEqual({
      name,
      late: [],
    });
  }
});

test("the template of the Deploy button is this repository's Worker, and depends on nothing of the workspace", () => {
  const withoutOwn = (toml: string): string =>
    toml.replace(/^#.*\n/, "").replace(/^(?:main|namespace_id) = .*\n/gm, "");
  expect(withoutOwn(read("templates/cloudflare/wrangler.toml"))).toBe(withoutOwn(read("wrangler.toml")));
  const manifest = read("templates/cloudflare/package.json");
  expect(manifest).not.toMatch(/workspace:|catalog:/);
  const { version } = JSON.parse(read("packages/server/package.json")) as { version: string };
  expect(manifest).toContain(`"@durable-streams-cloudflare/server": "^${version}"`);
  const [, wrangler] = /^ {2}wrangler: (.*)$/m.exec(read("pnpm-workspace.yaml")) ?? [];
  expect(manifest).toContain(`"wrangler": "${wrangler}"`);
});

test("the first migration makes the classes of the first release, and every bound class is made exactly once", () => {
  const toml = read("wrangler.toml");
  const bound = [...toml.matchAll(/^class_name = "(\w+)"$/gm)].map(([, name = ""]) => name);
  const migrations = [...toml.matchAll(/^\[\[migrations\]\]\ntag = "(.*)"\nnew_sqlite_classes = (\[.*\])$/gm)].map(
    ([, tag, classes]) => ({ tag, classes: JSON.parse(classes ?? "") as string[] }),
  );
  const first = ["StreamDO", "ProjectDO", "SubscriptionDO", "EstuaryDO", "ConsumerDO"];
  expect(migrations[0]).toEqual({ tag: "v1", classes: first });
  expect(migrations.flatMap(({ classes }) => classes).toSorted()).toEqual(bound.toSorted());
  expect(new Set(migrations.map(({ tag }) => tag)).size).toBe(migrations.length);
});

/** Each configuration of a Worker that we show, deploy or write. */
function workerConfigurations(): string[] {
  const git = (...args: string[]): string[] =>
    execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim().split("\n");
  const shown = git("grep", "-l", "^compatibility_date", "--", ":!*.ts");
  const paths = [...new Set([...shown, ...git("ls-files", "*wrangler*.toml", "*wrangler*.json*")])];
  const expected = ["wrangler.toml", "templates/cloudflare/wrangler.toml", "packages/server/README.md"];
  expect(paths).toEqual(expect.arrayContaining(expected));
  const written = wranglerToml({ ...defaultAnswers("durable-streams", "path"), account: "0".repeat(32) }, "the-id");
  return [...paths.map(read), written];
}

/** The text of one section of a configuration. */
function sectionOf(toml: string, name: string): string | undefined {
  return toml.split(/^(?=\[)/m).find((section) => section.startsWith(`[${name}]\n`));
}

test("every configuration of a Worker that we show, deploy or write lets fetch reach only what is public", () => {
  for (const text of workerConfigurations()) {
    const flags = [...text.matchAll(/^compatibility_flags = (\[.*\])/gm)].map(
      ([, list = ""]) => JSON.parse(list) as string[],
    );
    expect(flags).toHaveLength(text.match(/^compatibility_date/gm)?.length ?? 0);
    for (const list of flags) expect(list).toEqual(["enable_request_signal", "global_fetch_strictly_public"]);
  }
});

test("no query string, which may hold the right to read, gets into the logs of a Worker that we show, deploy or write", () => {
  for (const toml of workerConfigurations()) {
    expect(sectionOf(toml, "observability")).toMatch(/^redact_query_string = true$/m);
    expect(sectionOf(toml, "observability.logs")).toMatch(/^invocation_logs = false$/m);
  }
});

test("every Worker that we show, deploy or write keeps SSE sessions for 15 minutes: each reconnect is billed", () => {
  for (const toml of workerConfigurations()) {
    expect(sectionOf(toml, "vars")).toMatch(/^SSE_SESSION_SECONDS = "900"/m);
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

test("every property test runs through assertProperty, which says the seed of any failure, but for those of pure functions", () => {
  const files = execFileSync("git", ["ls-files", "packages/*.ts"], { cwd: root, encoding: "utf8" }).trim().split("\n");
  const others = files.filter((file) => !/^packages\/(?:protocol|testkit\/src\/property\.ts)/.test(file));
  expect(others.filter((file) => /\bfc\.(?:assert|check)\(/.test(read(file)))).toEqual([]);
});

test("every place that CONTRIBUTING.md names is there, and every package has a line in its table", () => {
  const text = read("CONTRIBUTING.md");
  const places = [...text.matchAll(/`((?:packages|scripts|docs|templates|\.ci|\.github)\/[\w./-]+)`/g)].map(
    ([, path = ""]) => path,
  );
  expect(places.length).toBeGreaterThan(30);
  expect(places.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  const [, table = ""] = /## Where things are\n([\s\S]*?)\n## /.exec(text) ?? [];
  const packages = readdirSync(join(root, "packages"));
  expect(packages.filter((name) => !table.includes(`packages/${name}`))).toEqual([]);
});

test("every script that CONTRIBUTING.md names is in package.json", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const named = [...read("CONTRIBUTING.md").matchAll(/\bnpm run ([\w:-]+)/g)].map(([, name = ""]) => name);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});

test("the page about modules shows the example that is compiled and tested", () => {
  for (const file of ["tally.ts", "tally-parts.ts", "tally-object.ts"]) {
    const code = read(`packages/http/test/modules/${file}`).replace(/^\/\*\*.*\n\n?/, "");
    expect(read("docs/modules.md")).toContain(`\`\`\`ts\n${code}\`\`\``);
  }
});
