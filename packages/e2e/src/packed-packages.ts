/** The packages as npm's registry would get them, and an empty folder in which somebody installs them. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { pnpmCommand } from "../../../scripts/pnpm.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PACKAGES = join(ROOT, "packages");

export interface PackedPackage {
  /** With its scope. */
  readonly name: string;
  /** Below `packages`. */
  readonly folder: string;
  readonly tarball: string;
}

/** What takes so long hangs, also on a busy machine. */
const HANGING_MS = 120_000;
/** The files of a package, one behind the other, are more than Node.js takes by itself. */
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** Runs a program to its end. @throws Error with all it printed, when it fails. */
export function runProgram(cwd: string, program: string, args: readonly string[]): string {
  const limits = { timeout: HANGING_MS, maxBuffer: OUTPUT_BYTES_MAX };
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: "utf8", ...limits });
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(" ")} ended with ${status ?? String(error)}:\n${stdout}${stderr}`);
}

/** Builds and packs all that is published, once; the archives go to the directory. */
export function packPackages(directory: string): PackedPackage[] {
  const packages = readdirSync(PACKAGES).flatMap((folder) => {
    const manifest = readManifest(join(PACKAGES, folder));
    return manifest.private === true ? [] : [{ folder, name: manifest.name, version: manifest.version }];
  });
  runProgram(ROOT, process.execPath, ["--run", "build"]);
  const filters = packages.flatMap(({ name }) => ["--filter", name]);
  const [pnpm = "", ...args] = pnpmCommand();
  runProgram(ROOT, pnpm, [...args, "--recursive", ...filters, "pack", "--pack-destination", directory]);
  return packages.map(({ name, folder, version }) => {
    const file = `${name.replace("@", "").replace("/", "-")}-${version}.tgz`;
    return { name, folder, tarball: join(directory, file) };
  });
}

/** The version of a dependency that this workspace uses. */
export function catalogVersion(name: string): string {
  const catalog = readFileSync(join(ROOT, "pnpm-workspace.yaml"), "utf8");
  const version = catalog.split("\n").find((line) => line.replaceAll('"', "").startsWith(`  ${name}: `));
  if (version === undefined) throw new Error(`${name} is not in the catalog`);
  return version.slice(version.lastIndexOf(" ") + 1);
}

/** A tool of this workspace, for `runProgram`. */
export function toolPath(name: string): string {
  return join(ROOT, "node_modules/.bin", name);
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}
