/** The figures as Markdown, which is also readable in a terminal. */
import type { Bar, Section } from "./scenarios/scenario.ts";
import { formatRatio } from "./units.ts";

export interface Report {
  readonly machine: readonly string[];
  readonly method: string;
  /** When and how the sections were measured: a sentence. */
  readonly run: string;
  readonly sections: readonly Section[];
}

const HEADING = "## ";

/** @param earlier the report so far: its sections stay, but for those that were measured anew. */
export function formatReport({ machine, method, run, sections }: Report, earlier = ""): string {
  const kept = sectionsOf(earlier);
  for (const section of sections) kept.set(section.title, formatSection(section, run));
  return [
    "# Measurements\n",
    "Written by `npm run bench -- --write`; each section says when, and by which command.\n",
    ...machine.map((line) => `- ${line}`),
    `\n${method}\n`,
    [...kept.values()].join("\n"),
  ].join("\n");
}

/** By their titles, in their order. */
function sectionsOf(report: string): Map<string, string> {
  const [, ...texts] = report.split(new RegExp(`^${HEADING}`, "m"));
  return new Map(texts.map((text) => [text.slice(0, text.indexOf("\n")), `${HEADING}${text.trimEnd()}\n`]));
}

function formatSection({ title, about, columns, rows, bars }: Section, run: string): string {
  const verdicts = bars.map((bar) => `- ${formatBar(bar)}\n`).join("");
  const table = formatTable(columns, rows);
  return `${HEADING}${title}\n\n${about}\n\n${run}\n\n${table}\n${verdicts === "" ? "" : `\n${verdicts}`}`;
}

function formatBar({ claim, atLeast, measured }: Bar): string {
  const verdict = measured >= atLeast ? "met" : "**missed**";
  return `${claim}: ${formatRatio(measured)}, at least ${atLeast} × is asked for: ${verdict}.`;
}

function formatTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, index) => Math.max(column.length, ...rows.map((row) => row[index]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, index) => pad(cell, widths[index] ?? 0, index)).join(" | ")} |`;
  const rule = widths.map((width, index) => (index === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [line(columns), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n");
}

/** Names stand on the left, figures on the right. */
function pad(cell: string, width: number, index: number): string {
  return index === 0 ? cell.padEnd(width) : cell.padStart(width);
}
