import { resolve } from "node:path";

import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { DATA_DIR_FLAG, withDataDir } from "../../data/claim.ts";
import { segmentPlace } from "../../data/segment-place.ts";
import { isNodeDatabase, kindOf, verifyDatabases } from "../../data/verify.ts";
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
    .description("check every database of a stopped server and list the damaged streams")
    .option(...DATA_DIR_FLAG)
    .option("--all", "also list the intact databases and their streams")
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
      const place = segmentPlace(dataDir);
      if (place !== undefined) output.note(`The cold segments in ${place} were not checked.`);
      if (damaged.length === 0) return output.note(`Checked ${counted(verified.length, "database")}; all are intact.`);
      throw new CliError(`${damaged.length} of ${counted(verified.length, "database")} damaged.`, {
        code: "data-damaged",
        fix: damaged.some(({ file }) => isNodeDatabase(file))
          ? "restore a backup: the damaged database holds the streams of the server"
          : "restore a backup, or move the file of a damaged stream away: that stream is lost, all others stay",
      });
    });
  examples(
    command,
    "durable-streams verify",
    "durable-streams verify --data-dir /var/lib/durable-streams --all --json",
  );
}
