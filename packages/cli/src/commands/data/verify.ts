import { resolve } from "node:path";

import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { DATA_DIR_FLAG, withDataDir } from "../../data/claim.ts";
import { kindOf, verifyDatabases } from "../../data/verify.ts";
import { CliError } from "../../failure.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { counted } from "../../numbers.ts";
import { table } from "../../output.ts";

interface Options {
  readonly dataDir: string;
  readonly all?: true;
}

export function verifyCommand(program: Command, io: Io): void {
  const command = program
    .command("verify")
    .description("check every database of a stopped server, and name the streams whose files are damaged")
    .option(...DATA_DIR_FLAG)
    .option("--all", "list the sound databases as well, with the streams they hold")
    .action(async (options: Options, called: Command) => {
      const { output } = contextOf(called, io);
      const dataDir = resolve(io.cwd, options.dataDir);
      const verified = await withDataDir(dataDir, () => verifyDatabases(dataDir, io.signal, () => undefined));
      const damaged = verified.filter(({ damage }) => damage !== null);
      const shown = options.all ? verified : damaged;
      const rows = shown.map((each) => [each.damage === null ? "✓" : "✗", each.file, kindOf(each), each.damage ?? ""]);
      await output.result(
        { dataDir, checked: verified.length, damaged: damaged.length, databases: shown },
        table(rows),
      );
      if (damaged.length === 0) return output.note(`${counted(verified.length, "database")}, all of them sound.`);
      throw new CliError(`Damaged: ${damaged.length} of ${counted(verified.length, "database")}.`, {
        code: "data-damaged",
        fix: "restore a backup; or move a damaged stream's file away, and the stream is gone while all others stay",
      });
    });
  examples(
    command,
    "durable-streams verify",
    "durable-streams verify --data-dir /var/lib/durable-streams --all --json",
  );
}
