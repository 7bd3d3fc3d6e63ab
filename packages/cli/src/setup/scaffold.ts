/** The folder that setup creates: a pnpm workspace with one Worker that depends on the published package. */

import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { WRANGLER_VERSION } from "../cloudflare/wrangler.ts";
import { CliError } from "../failure.ts";
import { writeAtomically } from "../files.ts";
import type { Answers } from "./answers.ts";
import type { ServerPackage } from "./server-package.ts";
import { STATE_FILE, type StateStore } from "./state.ts";
import { wranglerToml } from "./wrangler-toml.ts";

export const PNPM_VERSION = "12.21.0";

/** The Worker's path within the folder. */
export const WORKER_FOLDER = "workers/streams";

export interface ScaffoldInput {
  readonly answers: Answers;
  readonly namespaceId: string;
  readonly serverPackage: ServerPackage;
}

/** Texts by path. All files except wrangler.toml can be written before anything exists at Cloudflare. */
export function scaffoldFiles({ answers, serverPackage }: Omit<ScaffoldInput, "namespaceId">): Record<string, string> {
  return {
    "package.json": json({
      name: answers.name,
      private: true,
      scripts: { deploy: "pnpm --filter streams run deploy", dev: "pnpm --filter streams run dev" },
    }),
    "pnpm-workspace.yaml": [
      "packages:",
      "  - workers/*",
      "",
      "# Packages whose install scripts may run: they check their native binaries.",
      "allowBuilds:",
      "  esbuild: true",
      "  workerd: true",
      "",
      "# pnpm ignores versions that are less than a day old. This one belongs to the tool that created this folder.",
      "minimumReleaseAgeExclude:",
      '  - "@durable-streams-cloudflare/*"',
      ...overridesOf(serverPackage),
      "",
    ].join("\n"),
    ".gitignore": "node_modules/\n.wrangler/\n.dev.vars*\n.env*\n",
    "README.md": readme(answers),
    [`${WORKER_FOLDER}/package.json`]: json({
      name: "streams",
      private: true,
      type: "module",
      scripts: { deploy: "wrangler deploy", dev: "wrangler dev" },
      dependencies: { "@durable-streams-cloudflare/server": serverPackage.spec },
      devDependencies: { wrangler: WRANGLER_VERSION },
    }),
    [`${WORKER_FOLDER}/src/worker.ts`]: [
      "// The unmodified server. To mount it in your own Worker, see the README of the package.",
      'export { default } from "@durable-streams-cloudflare/server/worker";',
      'export * from "@durable-streams-cloudflare/server/worker";',
      "",
    ].join("\n"),
  };
}

/** Overrides for dependencies of the server that are not on npm. */
function overridesOf({ overrides }: ServerPackage): string[] {
  const lines = Object.entries(overrides).map(([name, spec]) => `  ${JSON.stringify(name)}: ${JSON.stringify(spec)}`);
  return lines.length === 0 ? [] : ["", "overrides:", ...lines];
}

export function configFiles({ answers, namespaceId }: ScaffoldInput): Record<string, string> {
  return { [`${WORKER_FOLDER}/wrangler.toml`]: wranglerToml(answers, namespaceId) };
}

/**
 * Writes files and records what it wrote. A file that was changed since then is kept.
 * @returns the paths of the files that were kept.
 */
export function writeFiles(store: StateStore, files: Readonly<Record<string, string>>): string[] {
  const kept: string[] = [];
  for (const [path, text] of Object.entries(files)) {
    const found = hashOfFile(join(store.folder, path));
    if (found === hashOf(text)) {
      if (store.state.files[path] !== found) remember(store, path, text);
    } else if (found === undefined || found === store.state.files[path]) {
      writeAtomically(join(store.folder, path), text);
      remember(store, path, text);
    } else {
      kept.push(path);
    }
  }
  return kept;
}

/** Whether nothing needs to be written: the recorded texts are current, even if the files were changed since then. */
export function areWritten(store: StateStore, files: Readonly<Record<string, string>>): boolean {
  return Object.entries(files).every(([path, text]) => {
    const found = hashOfFile(join(store.folder, path));
    const wrote = store.state.files[path];
    return found !== undefined && wrote === hashOf(text);
  });
}

/** A hash of the files on disk. */
export function hashOfFiles(folder: string, paths: readonly string[]): string {
  return hashOf(paths.map((path) => `${path} ${hashOfFile(join(folder, path)) ?? "none"}`).join("\n"));
}

/** @throws CliError when the folder contains anything that setup did not create. */
export function checkFolder(folder: string): void {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith(".git")) : [];
  // A setup that was killed while it wrote its first state leaves an incomplete state file.
  if (names.every((name) => name.startsWith(STATE_FILE)) || names.includes(STATE_FILE)) return;
  throw new CliError(`The folder ${folder} is not empty.`, {
    code: "folder-not-empty",
    why: "Setup needs a new or empty folder.",
    fix: "use another folder: durable-streams setup FOLDER",
  });
}

function remember(store: StateStore, path: string, text: string): void {
  store.update({ files: { ...store.state.files, [path]: hashOf(text) } });
}

function hashOfFile(path: string): string | undefined {
  return existsSync(path) ? hashOf(readFileSync(path, "utf8")) : undefined;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function readme({ name }: Answers): string {
  return `# ${name}

A Durable Streams server on Cloudflare, created by \`durable-streams setup\`.

    npx pnpm@${PNPM_VERSION} run deploy    # deploy ${WORKER_FOLDER}
    npx pnpm@${PNPM_VERSION} run dev       # run it on this machine
    npx @durable-streams-cloudflare/cli doctor
    npx @durable-streams-cloudflare/cli setup .    # resume an interrupted setup

The settings are in \`${WORKER_FOLDER}/wrangler.toml\`. \`${STATE_FILE}\` records what setup has done.
It contains no secrets: commit it with the other files.
`;
}
