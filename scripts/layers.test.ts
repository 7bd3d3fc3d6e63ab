/** The layering rule of CONTRIBUTING.md, asked of the linter: may a file of one layer import a file of another? */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const scratch = mkdtempSync(join(tmpdir(), "layers-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** A file may import from a lower level; on the lowest level they may import each other. */
const LEVELS: Record<string, number> = {
  "config.ts": 0,
  "telemetry/": 0,
  "rpc/": 0,
  "outbound/": 0,
  "storage/": 1,
  "stream/": 2,
  "subscription/": 2,
  "consumer/": 2,
  "estuary/": 2,
  "project/": 2,
  "http/": 3,
  "worker.ts": 4,
};

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

test.each(Object.entries(LEVELS))("%s imports only what stands left of it", (from, level) => {
  const inFolder = from.endsWith("/");
  const specifiers = Object.entries(LEVELS)
    .filter(([to]) => to !== from)
    .map(([to, toLevel]) => ({
      specifier: `${inFolder ? "../" : "./"}${to.endsWith("/") ? `${to}a.ts` : to}`,
      allowed: toLevel < level || toLevel + level === 0,
    }));
  const path = `packages/server/src/${inFolder ? `${from}probe.ts` : from}`;
  expect(
    refused(path, ["@durable-streams-cloudflare/protocol", ...specifiers.map(({ specifier }) => specifier)]),
  ).toEqual(specifiers.filter(({ allowed }) => !allowed).map(({ specifier }) => specifier));
});

test("only the edge knows hono", () => {
  expect(refused("packages/server/src/stream/probe.ts", ["hono", "hono/cors"])).toEqual(["hono", "hono/cors"]);
  expect(refused("packages/server/src/http/routes/probe.ts", ["hono", "hono/cors"])).toEqual([]);
});

test("protocol imports nothing outside itself", () => {
  const outside = ["hono", "node:fs", "@durable-streams-cloudflare/server", "../../server/src/config.ts"];
  expect(refused("packages/protocol/src/probe.ts", ["./offset.ts", ...outside])).toEqual(outside);
});
