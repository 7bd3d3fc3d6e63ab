/** `subscribe`, `unsubscribe`: sessions that follow many streams (docs/estuaries.md). */

import { PROBLEMS, type Problem } from "@durable-streams-cloudflare/protocol";
import { Option, type Command } from "commander";

import { contextOf } from "../context.ts";
import type { Io } from "../io.ts";
import { table, type Output } from "../output.ts";
import { refusal, type Server } from "../server.ts";

interface Options {
  readonly from: string;
  readonly format: string;
}

interface SourceResult {
  readonly source: string;
  readonly offset?: string;
  readonly problem?: Problem;
}

interface Answer {
  readonly estuaryId: string;
  readonly stream?: string;
  readonly results: readonly SourceResult[];
}

export function subscribeCommand(program: Command, io: Io): void {
  program
    .command("subscribe <session> <source...>")
    .description("have a session's stream receive every message of these streams; makes the session if need be")
    .option("--from <offset>", "where in the sources to begin: now, -1, or an offset", "now")
    .addOption(new Option("--format <format>", "how messages stand there").choices(["raw", "envelope"]).default("raw"))
    .action(async (session: string, sources: string[], { from, format }: Options, command: Command) => {
      const { output, server } = contextOf(command, io);
      const answer = await change(server(), "POST", session, { sources, from, format });
      await report(output, answer);
      output.note(`Read it: durable-streams stream tail ${session} --offset -1`);
    });
  program
    .command("unsubscribe <session> <source...>")
    .description("have a session follow these streams no more")
    .action(async (session: string, sources: string[], _options: object, command: Command) => {
      const { output, server } = contextOf(command, io);
      await report(output, await change(server(), "DELETE", session, { sources }));
    });
}

function change(server: Server, method: string, session: string, json: object): Promise<Answer> {
  const { project } = server.connection;
  const path = [...(project === undefined ? [] : [project]), session].map(encodeURIComponent).join("/");
  // `write` on the session, and `read` on each source.
  const headers = server.authorization("manage");
  return server.sendJson(method, `/v1/estuary/${path}/subscriptions`, { json, headers });
}

/** @throws CliError when any source was refused, after all have been told of. */
async function report(output: Output, answer: Answer): Promise<void> {
  const rows = answer.results.map(({ source, offset, problem }) => [source, problem?.code ?? offset ?? "done"]);
  await output.result(answer, table(rows));
  const refused = answer.results.find(({ problem }) => problem !== undefined);
  if (refused?.problem === undefined) return;
  throw refusal(PROBLEMS[refused.problem.code].status, { ...refused.problem, title: `${refused.source} was refused.` });
}
