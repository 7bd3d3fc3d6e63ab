import { basename, relative } from "node:path";

import { findDatabases, nameObjects } from "./names.ts";
import { findDamage } from "./sqlite.ts";

export interface Verified {
  /** The path within the data directory. */
  readonly file: string;
  /** The name of the stream, project or session; `null` if unknown. */
  readonly name: string | null;
  /** What is damaged; `null` if nothing is. */
  readonly damage: string | null;
}

/** Checks every database of an unused data directory. */
export async function verifyDatabases(
  dataDir: string,
  signal: AbortSignal,
  onProgress: (checked: number, of: number) => void,
): Promise<Verified[]> {
  const databases = findDatabases(dataDir);
  const names = await nameObjects(dataDir, databases);
  const verified: Verified[] = [];
  for (const path of databases) {
    signal.throwIfAborted();
    const damage = (await findDamage(path)) ?? null;
    verified.push({ file: relative(dataDir, path), name: names.get(path) ?? null, damage });
    onProgress(verified.length, databases.length);
  }
  return verified;
}

/** Whether it is a database of the engine node: all streams are in one, or in a few. */
export function isNodeDatabase(file: string): boolean {
  return /^streams(?:-\d+)?\.sqlite$/.test(file);
}

/** Describes what a database contains. */
export function kindOf({ file, name }: Verified): string {
  if (isNodeDatabase(file)) return "streams of the server";
  const folder = file.split("/").at(-2) ?? "";
  if (basename(file) === "metadata.sqlite") return `the alarms of ${folder}`;
  const kind = KINDS[folder.split("-").at(-1) ?? ""];
  if (kind === undefined) return folder;
  return name === null ? `${kind} with an unknown name` : `${kind} ${name}`;
}

const KINDS: Readonly<Record<string, string>> = {
  StreamDO: "the stream",
  ProjectDO: "the directory of project",
  EstuaryDO: "the session",
  SubscriptionDO: "the followers of stream",
  ConsumerDO: "a subscription",
};
