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
    .description("copy the data of a stopped server into a .tar.gz; it holds the projects' secrets, so keep it safe")
    .option(...DATA_DIR_FLAG)
    .action(async (name: string, options: { dataDir: string }, called: Command) => {
      const { output } = contextOf(called, io);
      const [archive, dataDir] = [resolve(io.cwd, name), resolve(io.cwd, options.dataDir)];
      if (existsSync(archive)) throw usageError(`${archive} exists already.`, "name a new file");
      await withDataDir(dataDir, () => pack(dataDir, archive, io.signal));
      const bytes = statSync(archive).size;
      await output.result({ archive, dataDir, bytes }, archive);
      output.note(`Wrote ${formatBytes(bytes)}. Try it: durable-streams restore ${shellWord(name)} --data-dir NEW-DIR`);
    });
  examples(
    command,
    "durable-streams backup backup-2030-01-01.tar.gz",
    "durable-streams backup /backups/streams.tar.gz --data-dir /var/lib/durable-streams",
  );
}
