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

export function takeoverCommand(program: Command, io: Io): void {
  const command = program
    .command("takeover")
    .description('copy the data of a stopped server on the engine "workerd" to a new directory for the engine "node"')
    .option(...DATA_DIR_FLAG)
    .option("--to <dir>", "the new directory (default: the data directory's name with .node appended)")
    .action(async (options: Options, called: Command) => {
      const { output } = contextOf(called, io);
      const isQuiet = called.optsWithGlobals()["quiet"] === true;
      const from = resolve(io.cwd, options.dataDir);
      const named = options.to ?? `${options.dataDir.replace(/\/+$/, "")}.node`;
      const to = resolve(io.cwd, named);
      const { takeOver } = await loadServer();
      const meter = new StepMeter(io, "Copied", { isQuiet });
      const onProgress = (copied: number, of: number): void => meter.show(copied, of);
      const taken = await takeOver({ from, to, onProgress, signal: io.signal })
        .catch((error: unknown) => {
          io.signal.throwIfAborted();
          throw dataFailure(error, "takeover-failed");
        })
        .finally(() => meter.end());
      await output.result({ from, dataDir: to, ...taken }, to);
      output.note(
        `Took over ${counted(taken.streams, "stream")} and compared every row. ${options.dataDir} is unchanged. ` +
          `To start the server: durable-streams serve --data-dir ${shellWord(named)}`,
      );
    });
  examples(
    command,
    "durable-streams takeover",
    "durable-streams takeover --data-dir /var/lib/durable-streams --to /var/lib/durable-streams-node",
  );
}
