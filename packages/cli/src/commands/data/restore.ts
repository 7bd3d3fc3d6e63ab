import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, rmdirSync } from "node:fs";
import { dirname, resolve } from "node:path";

import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { unpack } from "../../data/archive.ts";
import { DATA_DIR, DATA_DIR_FLAG, isDataDir } from "../../data/claim.ts";
import { kindOf, verifyDatabases, type Verified } from "../../data/verify.ts";
import { CliError, usageError } from "../../failure.ts";
import { examples } from "../../help.ts";
import { checkFile, type Io } from "../../io.ts";
import { counted } from "../../numbers.ts";
import { shellWord } from "../../shell-word.ts";
import { requireServerNode } from "../serve.ts";

export function restoreCommand(program: Command, io: Io): void {
  const command = program
    .command("restore <archive>")
    .description("make a data directory of a backup, and check each of its databases")
    .option(...DATA_DIR_FLAG)
    .action(async (name: string, options: { dataDir: string }, called: Command) => {
      const { output } = contextOf(called, io);
      const [archive, dataDir] = [checkFile(resolve(io.cwd, name)), resolve(io.cwd, options.dataDir)];
      requireServerNode();
      const databases = await restore(archive, dataDir, io.signal);
      await output.result({ archive, dataDir, databases: databases.length }, dataDir);
      const where = options.dataDir === DATA_DIR ? "" : ` --data-dir ${shellWord(options.dataDir)}`;
      output.note(
        `Restored ${counted(databases.length, "database")}, all of them sound. Start it: durable-streams serve${where}`,
      );
    });
  examples(
    command,
    "durable-streams restore backup-2030-01-01.tar.gz",
    "durable-streams restore /backups/streams.tar.gz --data-dir /var/lib/durable-streams",
  );
}

/** Beside the place where it belongs, and only when it is sound moved there: a crash leaves nothing half restored. */
async function restore(archive: string, dataDir: string, signal: AbortSignal): Promise<Verified[]> {
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0) {
    throw usageError(`${dataDir} is not empty: restoring would mix two servers' data.`, "name another: --data-dir DIR");
  }
  const unfinished = `${dataDir}.${process.pid}.unfinished`;
  mkdirSync(dirname(dataDir), { recursive: true });
  mkdirSync(unfinished, { mode: 0o700 });
  try {
    await unpack(archive, unfinished, signal);
    if (!isDataDir(unfinished)) throw notABackup(archive);
    const verified = await verifyDatabases(unfinished, signal, () => undefined);
    const damaged = verified.find(({ damage }) => damage !== null);
    if (damaged !== undefined) throw isDamaged(archive, damaged);
    if (existsSync(dataDir)) rmdirSync(dataDir);
    renameSync(unfinished, dataDir);
    return verified;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function notABackup(archive: string): CliError {
  return new CliError(`${archive} is not a backup of a server.`, {
    code: "archive-failed",
    why: "It has no folder `do`, in which every server keeps its streams.",
    fix: "name a file that durable-streams backup has written",
  });
}

function isDamaged(archive: string, damaged: Verified): CliError {
  return new CliError(`The backup ${archive} is damaged: nothing was restored.`, {
    code: "data-damaged",
    why: `${damaged.file}, ${kindOf(damaged)}: ${damaged.damage}`,
    fix: "restore an older backup",
  });
}
