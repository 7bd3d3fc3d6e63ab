import { resolve } from "node:path";

import type { Command } from "commander";

import { contextOf } from "../context.ts";
import { examine, type Check, type Report, type Status } from "../doctor/check.ts";
import { folderChecks } from "../doctor/folder-checks.ts";
import { serverChecks } from "../doctor/server-checks.ts";
import { CliError } from "../failure.ts";
import type { Io } from "../io.ts";
import { Server } from "../server.ts";
import { StateStore } from "../setup/state.ts";
import { checkNode } from "../setup/steps.ts";

const MARKS: Readonly<Record<Status, string>> = { ok: "✓", warn: "!", fail: "✗", skip: "-" };

export function doctorCommand(program: Command, io: Io): void {
  program
    .command("doctor [folder]")
    .description("what is wrong, and how to mend it: this machine, the folder that setup made, the server")
    .action(async (folder: string | undefined, _options: object, command: Command) => {
      const { output, server, globals } = contextOf(command, io);
      const store = StateStore.read(resolve(io.cwd, folder ?? "."));
      if (store === undefined && folder !== undefined) {
        throw new CliError(`Setup has not been in ${folder}.`, {
          code: "folder-unknown",
          fix: "name the folder that it made, or none to look at the server only",
        });
      }
      const known = server();
      // The server of the folder, unless another was named.
      const isNamed = globals.url !== undefined || globals.profile !== undefined;
      const url = isNamed ? known.connection.url : (store?.state.url ?? known.connection.url);
      const checks: readonly Check[] = [
        { id: "node", run: async () => checkNodeVersion() },
        ...(store === undefined ? [] : folderChecks(io, store)),
        ...serverChecks(new Server({ ...known.connection, url }, io.signal)),
      ];
      const tell = output.json ? () => undefined : (report: Report) => output.note(describe(report));
      const reports = await examine(checks, io.signal, tell);
      const bad = reports.filter(({ status }) => status === "fail");
      await output.result({ ok: bad.length === 0, checks: reports }, "");
      if (bad.length > 0) {
        throw new CliError(`${bad.length} of ${reports.length} checks failed.`, {
          code: "unhealthy",
          why: bad.map(({ check }) => check).join(", "),
          fix: bad[0]?.fix ?? "see above",
        });
      }
    });
}

/** Older ones use servers as well, but cannot set them up. */
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

function describe({ check, status, detail, fix }: Report): string {
  return `${MARKS[status]} ${check.padEnd(10)}  ${detail}${fix === undefined ? "" : `\n              Fix: ${fix}`}`;
}
