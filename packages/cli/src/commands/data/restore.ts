import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, rmdirSync } from "node:fs";
import { dirname, resolve } from "node:path";

import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { unpack } from "../../data/archive.ts";
import { DATA_DIR, DATA_DIR_FLAG, isDataDir } from "../../data/claim.ts";
import { segmentPlace } from "../../data/segment-place.ts";
import { isNodeDatabase, kindOf, verifyDatabases, type Verified } from "../../data/verify.ts";
import { CliError, usageError } from "../../failure.ts";
import { examples } from "../../help.ts";
import { checkFile, type Io } from "../../io.ts";
import { counted } from "../../numbers.ts";
import { shellWord } from "../../shell-word.ts";
import { requireServerNode } from "../serve.ts";

export function restoreCommand(program: Command, io: Io): void {
  const command = program
    .command("restore <archive>")
    .description("restore a backup to a new data directory and check every database")
    .option(...DATA_DIR_FLAG)
    .action(async (name: string, options: { dataDir: string }, called: Command) => {
      const { output } = contextOf(called, io);
      const [archive, dataDir] = [checkFile(resolve(io.cwd, name)), resolve(io.cwd, options.dataDir)];
      requireServerNode();
      const databases = await restore(archive, dataDir, io.signal);
      await output.result({ archive, dataDir, databases: databases.length }, dataDir);
      const where = options.dataDir === DATA_DIR ? "" : ` --data-dir ${shellWord(options.dataDir)}`;
      const engine = databases.some(({ file }) => isNodeDatabase(file)) ? "" : " --engine workerd";
      const place = segmentPlace(dataDir);
      if (place !== undefined) {
        output.note(
          `The cold segments are still in ${place}, and belong to the server of the backup. The first start of this one is ` +
            "refused, and says how to take them over when that server never starts again.",
        );
      }
      output.note(
        `Restored ${counted(databases.length, "database")}; all are intact. To start the server: ` +
          `durable-streams serve${engine}${where}`,
      );
    });
  examples(
    command,
    "durable-streams restore backup-2030-01-01.tar.gz",
    "durable-streams restore /backups/streams.tar.gz --data-dir /var/lib/durable-streams",
  );
}

/** Unpacks beside the target and moves it there only if it is intact: a crash leaves nothing half restored. */
async function restore(archive: string, dataDir: string, signal: AbortSignal): Promise<Verified[]> {
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0) {
    throw usageError(
      `${dataDir} is not empty. Restoring would mix the data of two servers.`,
      "use another directory: --data-dir DIR",
    );
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
    why: "It has neither the folder `do` nor the file `streams.sqlite`, where servers keep their streams.",
    fix: "use a file that durable-streams backup has written",
  });
}

function isDamaged(archive: string, damaged: Verified): CliError {
  return new CliError(`The backup ${archive} is damaged. Nothing was restored.`, {
    code: "data-damaged",
    why: `${damaged.file}, ${kindOf(damaged)}: ${damaged.damage}`,
    fix: "restore an older backup",
  });
}
