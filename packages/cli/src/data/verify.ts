import { basename, relative } from "node:path";

import { findDatabases, nameObjects } from "./names.ts";
import { findDamage } from "./sqlite.ts";

export interface Verified {
  /** Below the data directory. */
  readonly file: string;
  /** Of the stream, project or session that it is of; `null`: unknown. */
  readonly name: string | null;
  /** `null`: nothing is wrong. */
  readonly damage: string | null;
}

/** Checks every database of a data directory that no server uses. */
export async function verifyDatabases(
  dataDir: string,
  signal: AbortSignal,
  tell: (checked: number, of: number) => void,
): Promise<Verified[]> {
  const databases = findDatabases(dataDir);
  const names = await nameObjects(dataDir, databases);
  const verified: Verified[] = [];
  for (const path of databases) {
    signal.throwIfAborted();
    const damage = (await findDamage(path)) ?? null;
    verified.push({ file: relative(dataDir, path), name: names.get(path) ?? null, damage });
    tell(verified.length, databases.length);
  }
  return verified;
}

/** What a database is of, for people. */
export function kindOf({ file, name }: Verified): string {
  const folder = file.split("/").at(-2) ?? "";
  if (basename(file) === "metadata.sqlite") return `the alarms of ${folder}`;
  const kind = KINDS[folder.split("-").at(-1) ?? ""];
  if (kind === undefined) return folder;
  return name === null ? `${kind} whose name is not known` : `${kind} ${name}`;
}

const KINDS: Readonly<Record<string, string>> = {
  StreamDO: "the stream",
  ProjectDO: "the directory of project",
  EstuaryDO: "the session",
  SubscriptionDO: "the followers of stream",
  ConsumerDO: "a subscription",
};
