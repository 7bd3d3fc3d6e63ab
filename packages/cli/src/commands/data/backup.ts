import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";

import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { pack } from "../../data/archive.ts";
import { DATA_DIR_FLAG, withDataDir } from "../../data/claim.ts";
import { usageError } from "../../failure.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { shellWord } from "../../shell-word.ts";
import { formatBytes } from "../../transfer-meter.ts";

export function backupCommand(program: Command, io: Io): void {
  const command = program
    .command("backup <archive>")
    .description(
      "back up the data of a stopped server to a .tar.gz, which contains the projects' secrets: keep it safe",
    )
    .option(...DATA_DIR_FLAG)
    .action(async (name: string, options: { dataDir: string }, called: Command) => {
      const { output } = contextOf(called, io);
      const [archive, dataDir] = [resolve(io.cwd, name), resolve(io.cwd, options.dataDir)];
      if (existsSync(archive)) throw usageError(`${archive} already exists.`, "use the name of a new file");
      await withDataDir(dataDir, () => pack(dataDir, archive, io.signal));
      const bytes = statSync(archive).size;
      await output.result({ archive, dataDir, bytes }, archive);
      output.note(
        `Wrote ${formatBytes(bytes)}. To test the backup: durable-streams restore ${shellWord(name)} --data-dir NEW-DIR`,
      );
    });
  examples(
    command,
    "durable-streams backup backup-2030-01-01.tar.gz",
    "durable-streams backup /backups/streams.tar.gz --data-dir /var/lib/durable-streams",
  );
}
