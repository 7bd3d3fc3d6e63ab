import { resolve } from "node:path";

import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { dataFailure, DATA_DIR_FLAG } from "../../data/claim.ts";
import { StepMeter } from "../../data/step-meter.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { counted } from "../../numbers.ts";
import { shellWord } from "../../shell-word.ts";
import { loadServer } from "../serve.ts";

interface Options {
  readonly dataDir: string;
  readonly to?: string;
}

export function reshardCommand(program: Command, io: Io): void {
  const command = program
    .command("reshard <databases>")
    .description("copy the data of a stopped server to a new directory with another number of databases (mode acid)")
    .option(...DATA_DIR_FLAG)
    .option("--to <dir>", "the new directory (default: the data directory's name with .resharded appended)")
    .action(async (databases: string, options: Options, called: Command) => {
      const { output } = contextOf(called, io);
      const isQuiet = called.optsWithGlobals()["quiet"] === true;
      const from = resolve(io.cwd, options.dataDir);
      const named = options.to ?? `${options.dataDir.replace(/\/+$/, "")}.resharded`;
      const to = resolve(io.cwd, named);
      const { reshardDataDir } = await loadServer();
      const meter = new StepMeter(io, "Copied", { isQuiet });
      const onProgress = (done: number, of: number): void => meter.show(done, of);
      const shards = Number(databases);
      const { before, ...copied } = await reshardDataDir({ from, to, shards, onProgress, signal: io.signal })
        .catch((error: unknown) => {
          io.signal.throwIfAborted();
          throw dataFailure(error, "reshard-failed");
        })
        .finally(() => meter.end());
      await output.result({ from, dataDir: to, databases: shards, ...copied }, to);
      const mode = shards === 1 ? "" : "DS_STORAGE__MODE=acid ";
      output.note(
        `Copied ${counted(before, "database")} into ${shards}. ${options.dataDir} is unchanged: remove it, or keep it ` +
          `as a backup. To start the server: ${mode}durable-streams serve --data-dir ${shellWord(named)}`,
      );
    });
  examples(
    command,
    "durable-streams reshard 8",
    "durable-streams reshard 1 --data-dir /var/lib/durable-streams --to /var/lib/durable-streams-one",
  );
}
