/** The release flow up to the registry, in a copy: what `npm run version-packages` would commit. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterAll, beforeAll, expect, it } from "vitest";

const require = createRequire(import.meta.url);
const root = join(import.meta.dirname, "..");
const copy = mkdtempSync(join(tmpdir(), "release-"));
const TEMPLATE = "templates/cloudflare/package.json";
const ABOUT = "A change that the test is about.";

interface Manifest {
  readonly version: string;
  readonly private?: boolean;
  readonly repository?: { readonly url: string; readonly directory: string };
}

/** All packages that are published, or all others. */
function manifestsIn(tree: string, published: boolean): Manifest[] {
  const manifests = readdirSync(join(tree, "packages")).map(
    (folder) => JSON.parse(readFileSync(join(tree, "packages", folder, "package.json"), "utf8")) as Manifest,
  );
  return manifests.filter((manifest) => (manifest.private !== true) === published);
}

function versionsIn(tree: string, published: boolean): string[] {
  return manifestsIn(tree, published).map(({ version }) => version);
}

beforeAll(() => {
  for (const file of ["package.json", "pnpm-workspace.yaml", ".changeset/config.json"])
    cpSync(join(root, file), join(copy, file));
  for (const folder of readdirSync(join(root, "packages"))) {
    const file = join("packages", folder, "package.json");
    cpSync(join(root, file), join(copy, file));
  }
  const change = `---\n"@durable-streams-cloudflare/protocol": patch\n---\n\n${ABOUT}\n`;
  writeFileSync(join(copy, ".changeset/change.md"), change);
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=x", "-c", "user.email=x@example.com", ...args], { cwd: copy });
  git("init", "--quiet");
  git("add", ".");
  git("commit", "--quiet", "--message", "x");
  cpSync(join(root, TEMPLATE), join(copy, TEMPLATE));
  const changesets = join(dirname(require.resolve("@changesets/cli/package.json")), "bin.js");
  execFileSync(process.execPath, [changesets, "version"], { cwd: copy, stdio: "pipe" });
  execFileSync(process.execPath, [join(root, "scripts/template-version.ts")], { cwd: copy });
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

it("a change in one package gives all that are published the next version", () => {
  const [next, ...others] = versionsIn(copy, true);
  expect(others.length).toBeGreaterThan(0);
  expect(new Set(others)).toEqual(new Set([next]));
  expect(versionsIn(root, true)).not.toContain(next);
});

it("what is not published keeps its own", () => {
  expect(versionsIn(copy, false)).toEqual(versionsIn(root, false));
});

it("the change is in the changelog, and is not told twice", () => {
  expect(readFileSync(join(copy, "packages/protocol/CHANGELOG.md"), "utf8")).toContain(ABOUT);
  expect(readdirSync(join(copy, ".changeset"))).toEqual(["config.json"]);
});

it("the template of the Deploy button is to install what is about to be published", () => {
  const { dependencies } = JSON.parse(readFileSync(join(copy, TEMPLATE), "utf8")) as {
    dependencies: Record<string, string>;
  };
  expect(dependencies).toEqual({ "@durable-streams-cloudflare/server": `^${versionsIn(copy, true)[0]}` });
});

it("what is published names the repository that the workflow runs in, and nothing else does", () => {
  const env = { ...process.env, GITHUB_SERVER_URL: "https://github.com", GITHUB_REPOSITORY: "somebody/streams" };
  execFileSync(process.execPath, [join(root, "scripts/name-repository.ts")], { cwd: copy, env });
  for (const { repository } of manifestsIn(copy, true)) {
    expect(repository?.url).toBe("git+https://github.com/somebody/streams.git");
    expect(repository?.directory).toMatch(/^packages\/\w+$/);
  }
  expect(manifestsIn(copy, false).map(({ repository }) => repository)).not.toContainEqual(expect.anything());
});
