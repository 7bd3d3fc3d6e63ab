/** The layering rules of CONTRIBUTING.md, asked of the linter: may a file of one layer import a file of another? */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterAll, describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const scratch = mkdtempSync(join(tmpdir(), "layers-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Folders of core, each with those that it may import. */
const CORE: Record<string, readonly string[]> = {
  kit: [],
  contracts: ["kit"],
  outbound: ["kit", "contracts"],
  log: ["kit", "contracts"],
  stream: ["kit", "contracts", "log"],
  "fan-out": ["kit", "contracts", "log"],
  wakes: ["kit", "contracts", "outbound"],
  project: ["kit", "contracts", "outbound"],
};

const SCOPE = "@durable-streams-cloudflare/";
/** Packages, each with what it may import of others. */
const PACKAGES: Record<string, readonly string[]> = {
  protocol: [],
  "core/src/stream": ["protocol", "jose"],
  "http/src": ["protocol", "core/kit/log", "hono/tiny", "jose"],
  "server/src": ["protocol", "core/kit/log", "http/edge", "cloudflare:workers", "jose"],
  "node/src": ["protocol", "core/kit/log", "http/edge", "node:fs"],
};
const EVERYTHING = [
  "protocol",
  "core/kit/log",
  "core/test/stream-fixture",
  "http/edge",
  "server",
  "node",
  "local",
  "testkit",
  "simulator",
]
  .concat("hono/tiny", "cloudflare:workers", "node:fs")
  .map(specifierOf);

/** Names of Cloudflare's and of Web types that the engine must not know. */
const PLATFORM =
  /\b(?:DurableObject\w*|R2\w+|KVNamespace|SqlStorage\w*|WebSocket\w*|ExecutionContext|MessageBatch|scheduler\.wait|cloudflare:)/;
const WEB = /\b(?:new (?:Request|Response|Headers)\b|Response\.json|Request\b|[^.\w]fetch\()/;

/** What a handler must not make, nor ask for: a host may have neither, or only at a price (docs/adr/0021-plain-answers.md). */
const HTTP_OBJECTS = /\b(?:Request|Response|Headers)\b/;

function specifierOf(name: string): string {
  return /^(?:hono|jose|node:|cloudflare:)/.test(name) ? name : SCOPE + name;
}

/** Lints a file that has only these imports and returns those that the linter refuses. */
function refused(path: string, imports: readonly string[]): string[] {
  const config = JSON.parse(readFileSync(join(root, ".oxlintrc.json"), "utf8")) as { overrides: unknown };
  writeFileSync(join(scratch, ".oxlintrc.json"), JSON.stringify({ overrides: config.overrides }));
  mkdirSync(dirname(join(scratch, path)), { recursive: true });
  writeFileSync(join(scratch, path), imports.map((specifier) => `import "${specifier}";\n`).join(""));
  const { stdout } = spawnSync(join(root, "node_modules/.bin/oxlint"), ["--format", "unix", path], {
    cwd: scratch,
    encoding: "utf8",
  });
  const lines = [...stdout.matchAll(/:(\d+):\d+: .*no-restricted-imports/g)].map(([, line]) => Number(line));
  return imports.filter((_, index) => lines.includes(index + 1));
}

/** The source lines of a package, without its tests. */
function linesOf(name: string): { readonly file: string; readonly line: string }[] {
  const source = join(root, "packages", name, "src");
  return readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !file.endsWith(".d.ts"))
    .flatMap((file) =>
      readFileSync(join(source, file), "utf8")
        .split("\n")
        .filter((line) => !/^\s*(?:\/\/|\/?\*)/.test(line))
        .map((line) => ({ file, line })),
    );
}

test("the folders of core are those that have a rule", () => {
  const folders = readdirSync(join(root, "packages/core/src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  expect(folders.toSorted()).toEqual(Object.keys(CORE).toSorted());
});

test.each(Object.entries(CORE))("core/%s imports only %j", (folder, allowed) => {
  const others = Object.keys(CORE).filter((other) => other !== folder);
  const direct = others.map((other) => `../${other}/a.ts`);
  const nested = others.map((other) => `../../${other}/a.ts`);
  const isForbidden = (specifier: string): boolean => !allowed.includes(specifier.split("/").at(-2) ?? "");
  expect(refused(`packages/core/src/${folder}/probe.ts`, direct)).toEqual(direct.filter(isForbidden));
  expect(refused(`packages/core/src/${folder}/inner/probe.ts`, nested)).toEqual(nested.filter(isForbidden));
});

test.each(Object.entries(PACKAGES))("packages/%s imports only %j of others", (folder, allowed) => {
  const path = folder.includes("/") ? `packages/${folder}/probe.ts` : `packages/${folder}/src/probe.ts`;
  const permitted = new Set(allowed.map(specifierOf));
  const others = EVERYTHING.filter((specifier) => !specifier.startsWith(SCOPE + folder.split("/")[0]));
  expect(refused(path, others)).toEqual(others.filter((specifier) => !permitted.has(specifier)));
});

describe("the engine and HTTP name nothing of a platform", () => {
  test.each(["core", "http"])("%s has no name of Cloudflare's", (name) => {
    expect(linesOf(name).filter(({ line }) => PLATFORM.test(line))).toEqual([]);
  });

  test("http answers with plain data and takes any request; only as a client it has the platform's", () => {
    const handlers = linesOf("http").filter(({ file }) => !file.startsWith("outbound/"));
    const withoutTexts = handlers.map(({ file, line }) => ({ file, line: line.replace(/"[^"]*"|\/\/.*$/g, "") }));
    expect(withoutTexts.filter(({ line }) => HTTP_OBJECTS.test(line))).toEqual([]);
    expect(handlers.filter(({ line }) => /\.clone\(|\.formData\(|\.blob\(/.test(line))).toEqual([]);
  });

  test("a server without modules carries nothing that serves one", () => {
    const isOfModules = (file: string): boolean => /^(?:modules\/|objects\/module-)/.test(file);
    const lines = [...linesOf("server"), ...linesOf("http")].filter(({ file }) => !isOfModules(file));
    const served = lines.filter(({ line }) => /from "[^"]*\/(?:modules\/|module-object)/.test(line));
    const inCode = served.filter(({ line }) => !/^(?:import|export) type /.test(line));
    // Bundlers leave out what a Worker does not use of the package's own exports.
    expect(inCode.map(({ file }) => file)).toEqual(["index.ts"]);
  });

  test("core has neither requests nor responses, and fetches nothing", () => {
    expect(linesOf("core").filter(({ line }) => WEB.test(line))).toEqual([]);
  });
});

test("a refusal in core is told in one way: a value or a refusal is a Result", () => {
  // A pure check is told by a refusal or nothing; a group commit takes results as its values.
  const unions = linesOf("core").filter(({ line }) => /\| Refusal\b|\bRefusal \|(?! undefined)/.test(line));
  expect(new Set(unions.map(({ file }) => file))).toEqual(new Set(["kit/group-commit.ts"]));
});
