import { existsSync, statSync } from "node:fs";
import { join } from "node:path";

import { loadServer } from "../commands/serve.ts";
import { CliError } from "../failure.ts";

/** Where `serve` and `npm start` keep their data by default. */
export const DATA_DIR = ".data";

/** The flag of commands that work on a data directory. */
export const DATA_DIR_FLAG = ["--data-dir <dir>", "the server's data directory", DATA_DIR] as const;

/**
 * Works on the data of a stopped server, and prevents the server from starting in the meantime.
 * @throws CliError when a server uses the directory, or the directory is not a data directory.
 */
export async function withDataDir<Result>(dataDir: string, work: () => Promise<Result>): Promise<Result> {
  if (!isDataDir(dataDir)) {
    throw new CliError(`${dataDir} is not the data directory of a server.`, {
      code: "data-not-found",
      fix: "use the directory that the server was started with: --data-dir DIR",
    });
  }
  const { claimDataDir } = await loadServer();
  const release = await claimDataDir(dataDir).catch((error: unknown) => {
    throw dataFailure(error, "data-in-use");
  });
  try {
    return await work();
  } finally {
    release();
  }
}

/** What a server of either engine creates when it first starts: workerd the folder `do`, node its database. */
const MARKS = ["do", "streams.sqlite"];

export function isDataDir(path: string): boolean {
  return MARKS.some((name) => existsSync(join(path, name))) && statSync(path).isDirectory();
}

/**
 * What a command reports when the server's package has failed.
 * @param error perhaps a `Failure` of that package, whose class may not be installed.
 * @param code of the failure.
 */
export function dataFailure(error: unknown, code: string): unknown {
  if (!(error instanceof Error && "fix" in error && typeof error.fix === "string")) return error;
  return new CliError(error.message, { code, fix: error.fix, cause: error });
}
