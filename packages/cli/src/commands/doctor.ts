import { resolve } from "node:path";

import type { Command } from "commander";

import type { Colors } from "../colors.ts";
import { contextOf } from "../context.ts";
import { examine, type Check, type Report, type Status } from "../doctor/check.ts";
import { folderChecks } from "../doctor/folder-checks.ts";
import { serverChecks } from "../doctor/server-checks.ts";
import { CliError } from "../failure.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { Server } from "../server.ts";
import { StateStore } from "../setup/state.ts";
import { checkNode } from "../setup/steps.ts";
import { escapeUnsafe } from "../terminal-text.ts";

const MARKS: Readonly<Record<Status, string>> = { ok: "✓", warn: "!", fail: "✗", skip: "-" };

export function doctorCommand(program: Command, io: Io): void {
  const command = program
    .command("doctor [folder]")
    .description("check this machine, the folder that setup created, and the server, and show how to fix problems")
    .action(async (folder: string | undefined, _options: object, called: Command) => {
      const { output, server, globals } = contextOf(called, io);
      const store = StateStore.read(resolve(io.cwd, folder ?? "."));
      if (store === undefined && folder !== undefined) {
        throw new CliError(`The folder ${folder} was not created by setup.`, {
          code: "folder-unknown",
          fix: "give the folder that setup created, or no folder to check only the server",
        });
      }
      const known = server();
      // The server of the folder, unless flags name another one.
      const isNamed = globals.url !== undefined || globals.profile !== undefined;
      const url = isNamed ? known.connection.url : (store?.state.url ?? known.connection.url);
      const checks: readonly Check[] = [
        { id: "node", run: async () => checkNodeVersion() },
        ...(store === undefined ? [] : folderChecks(io, store)),
        ...serverChecks(new Server({ ...known.connection, url }, io.signal)),
      ];
      const onReport = output.json
        ? () => undefined
        : (report: Report) => output.painted(describe(report, output.colors));
      const reports = await examine(checks, io.signal, onReport);
      const failed = reports.filter(({ status }) => status === "fail");
      await output.result({ ok: failed.length === 0, checks: reports }, "");
      if (failed.length > 0) {
        throw new CliError(`${failed.length} of ${reports.length} checks failed.`, {
          code: "unhealthy",
          why: failed.map(({ check }) => check).join(", "),
          fix: failed[0]?.fix ?? "see the failed checks above",
        });
      }
    });
  examples(
    command,
    "durable-streams doctor",
    "durable-streams --profile staging doctor",
    "durable-streams doctor --json",
  );
}

/** Older versions can use a server, but not set one up. */
function checkNodeVersion() {
  const { node } = process.versions;
  try {
    checkNode(node);
    return { status: "ok", detail: node } as const;
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return { status: "warn", detail: error.message, fix: error.fix } as const;
  }
}

function describe({ check, status, detail, fix }: Report, { green, yellow, red, dim, cyan }: Colors): string {
  const paint = { ok: green, warn: yellow, fail: red, skip: dim }[status];
  const line = `${paint(MARKS[status])} ${check.padEnd(10)}  ${escapeUnsafe(detail)}`;
  return fix === undefined ? line : `${line}\n              ${cyan("Fix:")} ${escapeUnsafe(fix)}`;
}
