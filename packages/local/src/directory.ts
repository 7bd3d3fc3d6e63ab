import { statSync } from "node:fs";

/** The directory holds the secrets of all projects, so only this user may access it. */
const OTHERS = 0o077;

/** Empty unless other users of this machine can enter the directory. On Windows, the mode of a file does not tell. */
export function formatOpenDirectoryWarning(path: string, platform: NodeJS.Platform = process.platform): string {
  const { mode } = statSync(path);
  if ((mode & OTHERS) === 0 || platform === "win32") return "";
  return (
    `! Other users of this machine can read ${path}, which holds all data and the secrets of all projects.\n` +
    `  Fix: chmod 700 '${path}'\n`
  );
}
