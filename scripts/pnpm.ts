import { readFileSync } from "node:fs";
import { join } from "node:path";

const MANIFEST = join(import.meta.dirname, "../package.json");

/**
 * A command line that runs the pnpm of this workspace. `PNPM_COMMAND` names another way to it: in the workflows corepack, which
 * checks it against its hash in package.json.
 */
export function pnpmCommand(): readonly string[] {
  const given = process.env["PNPM_COMMAND"] ?? "";
  if (given !== "") return given.split(" ");
  const { packageManager } = JSON.parse(readFileSync(MANIFEST, "utf8")) as { packageManager: string };
  const [version = ""] = packageManager.split("+");
  return ["npx", "--yes", version];
}
