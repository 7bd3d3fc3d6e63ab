import { existsSync, rmSync, statSync } from "node:fs";
import { resolve } from "node:path";

import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { pack } from "../../data/archive.ts";
import { DATA_DIR_FLAG, dataFailure, withDataDir } from "../../data/claim.ts";
import { segmentPlace } from "../../data/segment-place.ts";
import { StepMeter } from "../../data/step-meter.ts";
import { CliError, usageError } from "../../failure.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { shellWord } from "../../shell-word.ts";
import { formatBytes } from "../../transfer-meter.ts";
import { loadServer } from "../serve.ts";

export function backupCommand(program: Command, io: Io): void {
  const command = program
    .command("backup <archive>")
    .description(
      "back up a server's data, also while it runs, to a .tar.gz, which contains the projects' secrets: keep it safe",
    )
    .option(...DATA_DIR_FLAG)
    .action(async (name: string, options: { dataDir: string }, called: Command) => {
      const { output, globals } = contextOf(called, io);
      const [archive, dataDir] = [resolve(io.cwd, name), resolve(io.cwd, options.dataDir)];
      if (existsSync(archive)) throw usageError(`${archive} already exists.`, "use the name of a new file");
      const meter = new StepMeter(io, "Copied", { isQuiet: globals.quiet === true });
      await withDataDir(dataDir, () => pack([dataDir], archive, io.signal)).catch(async (error: unknown) => {
        if (!(error instanceof CliError && error.code === "data-in-use")) throw error;
        await packRunning(dataDir, archive, { meter, signal: io.signal });
      });
      const place = segmentPlace(dataDir);
      const bytes = statSync(archive).size;
      await output.result({ archive, dataDir, bytes }, archive);
      if (place !== undefined) {
        output.note(`The cold segments are not in the archive: they are in ${place}. Keep deleted objects there, too.`);
      }
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

/** Packs a copy of the data of a server that goes on. What was acknowledged before is in it. */
async function packRunning(
  dataDir: string,
  archive: string,
  { meter, signal }: { readonly meter: StepMeter; readonly signal: AbortSignal },
): Promise<void> {
  const { snapshotDataDir } = await loadServer();
  // The name does not change, so that what a killed backup has left is found and removed.
  const to = `${archive}.unfinished`;
  rmSync(to, { recursive: true, force: true });
  const onProgress = (copied: number, of: number): void => meter.show(copied, of);
  const { folders, release } = await snapshotDataDir(dataDir, { to, onProgress, signal })
    .catch((error: unknown) => {
      signal.throwIfAborted();
      throw dataFailure(error, "data-in-use");
    })
    .finally(() => meter.end());
  try {
    await pack(folders, archive, signal);
  } finally {
    release();
  }
}
