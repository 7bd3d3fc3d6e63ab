import { PROBLEMS, type Problem } from "@durable-streams-cloudflare/protocol";

import { table, type Output } from "../../output.ts";
import { refusal, type Server } from "../../server.ts";
import { sessionPath } from "./paths.ts";

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

/** Subscribes a session to sources, or unsubscribes it. */
export function changeSources(server: Server, method: "POST" | "DELETE", session: string, json: object) {
  // This needs `write` on the session and `read` on each source.
  const headers = server.authorization("manage");
  return server.sendJson<Answer>(method, `${sessionPath(server, session)}/subscriptions`, { json, headers });
}

/** Prints all results. @throws CliError after that when any source was refused. */
export async function reportSources(output: Output, answer: Answer): Promise<void> {
  const rows = answer.results.map(({ source, offset, problem }) => [source, problem?.code ?? offset ?? "done"]);
  await output.result(answer, table(rows));
  const refused = answer.results.find(({ problem }) => problem !== undefined);
  if (refused?.problem === undefined) return;
  const { source, problem } = refused;
  // A newer server may use codes that this tool does not know.
  const status = (PROBLEMS as Readonly<Record<string, { status: number } | undefined>>)[problem.code]?.status ?? 400;
  throw refusal(status, { ...problem, title: `${source} was refused.` }, { stream: source });
}
