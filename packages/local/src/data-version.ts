import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { DATA_VERSIONS } from "@durable-streams-cloudflare/core/data-version";

import { Failure } from "./failure.ts";

type Versions = Readonly<Record<string, number>>;

/**
 * Refuses the data of a newer server, and records this server's versions for older ones. Without this check an older server
 * would seem to work, because only those streams fail to open that a newer server has written to.
 * @param known the versions that this server reads and writes.
 * @throws Failure when the directory has been used by a newer server.
 */
export function claimDataVersion(dataDir: string, known: Versions = DATA_VERSIONS): void {
  const found = refuseNewerData(dataDir, known);
  writeFileSync(pathIn(dataDir), `${JSON.stringify({ ...found, ...known })}\n`);
}

/**
 * Refuses the data of a newer server, and changes nothing.
 * @returns the versions that the directory records.
 * @throws Failure when the directory has been used by a newer server.
 */
export function refuseNewerData(dataDir: string, known: Versions = DATA_VERSIONS): Versions {
  const found = readVersions(pathIn(dataDir));
  for (const [kind, version] of Object.entries(found)) {
    const knownVersion = known[kind] ?? 0;
    if (version <= knownVersion) continue;
    throw new Failure(
      `The data in ${dataDir} was written by a newer server: its version of "${kind}" is ` +
        `${version}, but this server supports at most ${knownVersion}.`,
      "start the newer server, or restore a backup from before the upgrade: --data-dir DIR",
    );
  }
  return found;
}

function pathIn(dataDir: string): string {
  return join(dataDir, "version.json");
}

function readVersions(path: string): Versions {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof parsed !== "object" || parsed === null) return {};
    return Object.fromEntries(Object.entries(parsed).filter(([, version]) => Number.isInteger(version)));
  } catch {
    return {}; // A new directory, or one of an older server that did not write this file.
  }
}
