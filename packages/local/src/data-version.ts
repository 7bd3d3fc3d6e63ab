import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { DATA_VERSIONS } from "@durable-streams-cloudflare/core/data-version";

import { Failure } from "./failure.ts";

type Versions = Readonly<Record<string, number>>;

/**
 * Refuses the data of a newer server, and leaves a note for older ones. A stream that a newer server has touched cannot be
 * opened, but all others could: without this, an older server would seem to work.
 * @param known what this server reads and writes.
 * @throws Failure when the directory has been used by a newer server.
 */
export function claimDataVersion(dataDir: string, known: Versions = DATA_VERSIONS): void {
  const path = join(dataDir, "version.json");
  const found = readVersions(path);
  for (const [kind, version] of Object.entries(found)) {
    const knownVersion = known[kind] ?? 0;
    if (version <= knownVersion) continue;
    throw new Failure(
      `The data in ${dataDir} was written by a newer server: its version of "${kind}" is ${version}, this server knows ` +
        `${knownVersion}.`,
      "start the newer server, or restore the backup that was made before the upgrade: --data-dir DIR",
    );
  }
  writeFileSync(path, `${JSON.stringify({ ...found, ...known })}\n`);
}

function readVersions(path: string): Versions {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof parsed !== "object" || parsed === null) return {};
    return Object.fromEntries(Object.entries(parsed).filter(([, version]) => Number.isInteger(version)));
  } catch {
    return {}; // Of a new directory, or one of a server that did not write it yet.
  }
}
