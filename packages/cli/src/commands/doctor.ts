import { resolve } from "node:path";

import type { Command } from "commander";

import type { Colors } from "../colors.ts";
import { contextOf } from "../context.ts";
import { examine, type Check, type Report, type Status } from "../doctor/check.ts";
import { folderChecks } from "../doctor/folder-checks.ts";
import { ASSUMPTIONS } from "../doctor/network/assumptions.ts";
import { coloOf, examineNetwork, probesOf } from "../doctor/network/examine-network.ts";
import { manual, networkReport } from "../doctor/network/report.ts";
import { serverChecks } from "../doctor/server-checks.ts";
import { parseDuration } from "../duration.ts";
import { CliError } from "../failure.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import type { Output } from "../output.ts";
import { Server } from "../server.ts";
import { StateStore } from "../setup/state.ts";
import { checkNode } from "../setup/steps.ts";
import { escapeUnsafe } from "../terminal-text.ts";
import { version } from "../version.ts";

const MARKS: Readonly<Record<Status, string>> = { ok: "✓", warn: "!", fail: "✗", skip: "-" };

/** Below the 60 seconds after which a server ends a live read by default. */
const IDLE = "45s";

interface Options {
  readonly network?: boolean;
  readonly idle: string;
  readonly only?: readonly string[];
}

export function doctorCommand(program: Command, io: Io): void {
  const command = program
    .command("doctor [folder]")
    .description("check this machine, the folder that setup created, and the server, and show how to fix problems")
    .option("--network", "check what the server takes for granted about Cloudflare's network, and print a report")
    .option("--idle <duration>", "with --network: how long idle readers wait", IDLE)
    .option("--only <assumption...>", "with --network: check only these assumptions")
    .action(async (folder: string | undefined, options: Options, called: Command) => {
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
      const examined = new Server({ ...known.connection, url }, io.signal);
      const onReport = output.json
        ? () => undefined
        : (report: Report) => output.painted(describe(report, output.colors));
      if (options.network === true) return network({ ...options, server: examined, output, io, onReport });
      const checks: readonly Check[] = [
        { id: "node", run: async () => checkNodeVersion() },
        ...(store === undefined ? [] : folderChecks(io, store)),
        ...serverChecks(examined),
      ];
      const reports = await examine(checks, io.signal, onReport);
      await output.result({ ok: failedOf(reports).length === 0, checks: reports }, "");
      throwIfFailed(reports);
    });
  examples(
    command,
    "durable-streams doctor",
    "durable-streams --profile staging doctor",
    "durable-streams doctor --json",
    "durable-streams --profile production doctor --network > report.md",
  );
}

interface NetworkRun extends Options {
  readonly server: Server;
  readonly output: Output;
  readonly io: Io;
  readonly onReport: (report: Report) => void;
}

async function network({ server, output, io, idle, only, onReport }: NetworkRun): Promise<void> {
  const probes = probesOf(only);
  const idleSeconds = parseDuration(idle);
  const colo = await coloOf(server);
  const reports = await examineNetwork(probes, { server, idleSeconds, signal: io.signal }, onReport);
  const known = { version: version(), day: new Date().toISOString().slice(0, 10), colo, reports };
  const { url, project } = server.connection;
  const unchecked = manual(ASSUMPTIONS).map(({ id }) => id);
  await output.result(
    {
      ok: failedOf(reports).length === 0,
      ...known,
      colo: colo ?? null,
      reports: undefined,
      checks: reports,
      unchecked,
    },
    networkReport({ ...known, secrets: project === undefined ? [url] : [url, project] }, ASSUMPTIONS),
  );
  throwIfFailed(reports);
}

function failedOf(reports: readonly Report[]): readonly Report[] {
  return reports.filter(({ status }) => status === "fail");
}

/** @throws CliError that names the failed checks. */
function throwIfFailed(reports: readonly Report[]): void {
  const failed = failedOf(reports);
  if (failed.length === 0) return;
  throw new CliError(`${failed.length} of ${reports.length} checks failed.`, {
    code: "unhealthy",
    why: failed.map(({ check }) => check).join(", "),
    fix: failed[0]?.fix ?? "see the failed checks above",
  });
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
