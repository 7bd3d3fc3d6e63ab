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
    .description(
      "find out what is wrong with this machine, the folder that setup made, and the server, and how to fix it",
    )
    .action(async (folder: string | undefined, _options: object, called: Command) => {
      const { output, server, globals } = contextOf(called, io);
      const store = StateStore.read(resolve(io.cwd, folder ?? "."));
      if (store === undefined && folder !== undefined) {
        throw new CliError(`${folder} is not a folder that setup made.`, {
          code: "folder-unknown",
          fix: "name that folder, or none to check the server only",
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
      const tell = output.json ? () => undefined : (report: Report) => output.painted(describe(report, output.colors));
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
  examples(
    command,
    "durable-streams doctor",
    "durable-streams --profile staging doctor",
    "durable-streams doctor --json",
  );
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

function describe({ check, status, detail, fix }: Report, { green, yellow, red, dim, cyan }: Colors): string {
  const paint = { ok: green, warn: yellow, fail: red, skip: dim }[status];
  const line = `${paint(MARKS[status])} ${check.padEnd(10)}  ${escapeUnsafe(detail)}`;
  return fix === undefined ? line : `${line}\n              ${cyan("Fix:")} ${escapeUnsafe(fix)}`;
}
