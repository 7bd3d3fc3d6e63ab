/** The report of `doctor --network`: Markdown that can be pasted into an issue. It names neither the server nor its project. */

import { escapeUnsafe } from "../../terminal-text.ts";
import type { Report } from "../check.ts";
import type { Assumption } from "./assumption.ts";

const VERDICTS: Readonly<Record<Report["status"], string>> = {
  ok: "holds",
  fail: "does not hold",
  warn: "not checked",
  skip: "not checked",
};

export interface NetworkReport {
  readonly version: string;
  /** The UTC day on which the probes ran. */
  readonly day: string;
  /** The data centre that answered, such as `FRA`; `undefined` if nothing says so. */
  readonly colo: string | undefined;
  readonly reports: readonly Report[];
  /** What must not be in the report: the server's origin and the project, which errors may name. */
  readonly secrets: readonly string[];
}

export function networkReport(
  { version, day, colo, reports, secrets }: NetworkReport,
  assumptions: readonly Assumption[],
): string {
  const where = colo === undefined ? "" : `, answered by ${colo}`;
  const rows = reports.map(({ check, status, detail }) => [check, VERDICTS[status], cell(detail, secrets)]);
  const lines = [
    `### durable-streams doctor --network`,
    "",
    `Version ${version}, ${day}${where}.`,
    "",
    ...[["assumption", "verdict", "evidence"], ["---", "---", "---"], ...rows].map((row) => `| ${row.join(" | ")} |`),
    "",
    "Not checked, because these need the account or more time (docs/to-be-confirmed.md):",
    "",
    ...manual(assumptions).map(({ id, assumes }) => `- \`${id}\`: ${assumes}`),
  ];
  return escapeUnsafe(`${lines.join("\n")}\n`);
}

function cell(detail: string, secrets: readonly string[]): string {
  return secrets.reduce((text, secret) => text.replaceAll(secret, "…"), detail).replaceAll("|", "\\|");
}

/** The assumptions that no probe can check. */
export function manual(assumptions: readonly Assumption[]): readonly Assumption[] {
  return assumptions.filter(({ check }) => !("probe" in check));
}
