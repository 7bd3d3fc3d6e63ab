/** Explains why a data directory cannot be opened, and what to do about it. */

import { NewerDataError } from "@durable-streams-cloudflare/core/kit/sql/upgrade";

import { primaryCodeOf, SQLITE } from "./sqlite-error.ts";
import { StorageError } from "./storage-error.ts";

interface Explanation {
  readonly what: string;
  readonly fix: string;
}

const OTHER = "or use another directory: --data-dir DIR";
const DENIED: Explanation = {
  what: "may not be read or written by this user",
  fix: `start the server as the owner of its files, ${OTHER}`,
};
const READ_ONLY: Explanation = { what: "is read-only", fix: `mount its file system for writing, ${OTHER}` };
const FULL: Explanation = { what: "has no space left", fix: `free some space, ${OTHER}` };
const FAILED: Explanation = {
  what: "could not be read or written, because its disk failed",
  fix: "check the disk, then start the server again; nothing was changed",
};
const FILES: Explanation = {
  what: "cannot be opened, because too many files are open",
  fix: "raise the limit: ulimit -n, LimitNOFILE= (systemd), --ulimit nofile= (docker)",
};
const MISSING: Explanation = {
  what: "cannot be made, because its parent is missing or a file",
  fix: `make it, ${OTHER}`,
};
const A_FILE: Explanation = { what: "cannot be used, because it is a file", fix: `remove it, ${OTHER}` };
const NEWER: Explanation = {
  what: "was written by a newer server",
  fix: "start the newer server, or restore a backup from before the upgrade: --data-dir DIR",
};
const BY_SYSTEM_CODE: Readonly<Record<string, Explanation>> = {
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: READ_ONLY,
  ENOSPC: FULL,
  EDQUOT: FULL,
  EIO: FAILED,
  EMFILE: FILES,
  ENFILE: FILES,
  ENOENT: MISSING,
  ENOTDIR: MISSING,
  EEXIST: A_FILE,
};

const BY_SQLITE_CODE: ReadonlyMap<number, Explanation> = new Map([
  [SQLITE.perm, DENIED],
  [SQLITE.auth, DENIED],
  [SQLITE.cannotOpen, DENIED],
  [SQLITE.readOnly, READ_ONLY],
  [SQLITE.full, FULL],
  [SQLITE.ioError, FAILED],
]);

/**
 * @param error what opening the directory, or writing into it, failed with.
 * @returns the same for the operator; `undefined` if it is something else, a mistake in the server for example.
 */
export function explainOpenError(dataDir: string, error: unknown): StorageError | undefined {
  if (error instanceof StorageError) return error;
  if (!(error instanceof Error)) return undefined;
  const systemCode = "code" in error ? String(error.code) : "";
  const known = error instanceof NewerDataError ? NEWER : undefined;
  const explanation = known ?? BY_SYSTEM_CODE[systemCode] ?? BY_SQLITE_CODE.get(primaryCodeOf(error));
  if (explanation === undefined) return undefined;
  const { what, fix } = explanation;
  return new StorageError(`The data directory ${dataDir} ${what}: ${error.message}.`, { fix, cause: error });
}

/** @returns what the operator is told of a database that SQLite cannot read; other errors as they are. */
export function explainDamage(path: string, error: unknown): unknown {
  const code = primaryCodeOf(error);
  if (code !== SQLITE.corrupt && code !== SQLITE.notADatabase) return error;
  return new StorageError(`The database ${path} is damaged. It holds streams.`, {
    fix: "restore a backup into another directory: durable-streams restore ARCHIVE --data-dir DIR",
    cause: error,
  });
}
