import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const PACKAGE = new URL("../package.json", import.meta.url);
const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));

/** The version that all published packages share. */
export function version(): string {
  return (JSON.parse(readFileSync(PACKAGE, "utf8")) as { version: string }).version;
}

/** Whether this runs from a clone of the repository rather than from a published package. */
export function isFromSource(): boolean {
  return import.meta.url.endsWith(".ts");
}

/** The output of `--version`. In a clone, the version is that of the last release, so the commit is added. */
export function describeVersion(): string {
  if (!isFromSource() || !existsSync(`${REPOSITORY}/.git`)) return version();
  const args = ["-C", REPOSITORY, "rev-parse", "--short", "HEAD"];
  const { status, stdout } = spawnSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return status === 0 ? `${version()}+${stdout.trim()}` : version();
}
