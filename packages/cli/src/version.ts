import { readFileSync } from "node:fs";

/** The one version of all packages that are published. */
export function version(): string {
  return (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }).version;
}
