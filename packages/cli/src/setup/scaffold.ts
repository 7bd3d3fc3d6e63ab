/** The folder that setup makes: a pnpm workspace with one Worker, which depends on the published package. */

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

/** Where the Worker is, below the folder. */
export const WORKER_FOLDER = "workers/streams";

export interface ScaffoldInput {
  readonly answers: Answers;
  readonly namespaceId: string;
  readonly serverPackage: ServerPackage;
}

/** Text by path. All but wrangler.toml can be written before there is anything at Cloudflare. */
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
      "# Packages that may run an install script: they check their native binaries.",
      "allowBuilds:",
      "  esbuild: true",
      "  workerd: true",
      "",
      "# pnpm waits a day before it takes a new version; this one belongs to the tool that wrote this.",
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
      "// The server as it is. To mount it in a Worker of your own, see the README of the package.",
      'export { default } from "@durable-streams-cloudflare/server/worker";',
      'export * from "@durable-streams-cloudflare/server/worker";',
      "",
    ].join("\n"),
  };
}

/** Where npm does not have what the server depends on. */
function overridesOf({ overrides }: ServerPackage): string[] {
  const lines = Object.entries(overrides).map(([name, spec]) => `  ${JSON.stringify(name)}: ${JSON.stringify(spec)}`);
  return lines.length === 0 ? [] : ["", "overrides:", ...lines];
}

export function configFiles({ answers, namespaceId }: ScaffoldInput): Record<string, string> {
  return { [`${WORKER_FOLDER}/wrangler.toml`]: wranglerToml(answers, namespaceId) };
}

/**
 * Writes files, and remembers what it wrote. A file that somebody has changed since stays as it is.
 * @returns the paths of those.
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

/** Whether there is nothing to write: the files are as they should be, or somebody has changed what should still be so. */
export function areWritten(store: StateStore, files: Readonly<Record<string, string>>): boolean {
  return Object.entries(files).every(([path, text]) => {
    const found = hashOfFile(join(store.folder, path));
    const wrote = store.state.files[path];
    return found !== undefined && wrote === hashOf(text);
  });
}

/** A hash of files as they are on disk. */
export function hashOfFiles(folder: string, paths: readonly string[]): string {
  return hashOf(paths.map((path) => `${path} ${hashOfFile(join(folder, path)) ?? "none"}`).join("\n"));
}

/** @throws CliError when there is something in the folder that is not ours. */
export function checkFolder(folder: string): void {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith(".git")) : [];
  // A setup that was killed while it wrote its very first state has left that unfinished.
  if (names.every((name) => name.startsWith(STATE_FILE)) || names.includes(STATE_FILE)) return;
  throw new CliError(`The folder ${folder} is not empty.`, {
    code: "folder-not-empty",
    why: "Setup writes into a folder of its own.",
    fix: "durable-streams setup ANOTHER-FOLDER",
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

A Durable Streams server on Cloudflare, made by \`durable-streams setup\`.

    npx pnpm@${PNPM_VERSION} run deploy    # deploys ${WORKER_FOLDER}
    npx pnpm@${PNPM_VERSION} run dev       # runs it on this machine
    npx @durable-streams-cloudflare/cli doctor
    npx @durable-streams-cloudflare/cli setup .    # resumes a setup that was interrupted

Settings are in \`${WORKER_FOLDER}/wrangler.toml\`. \`${STATE_FILE}\`
records what setup has done; it holds no secrets, keep it with the rest.
`;
}
