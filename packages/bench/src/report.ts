/** The figures as Markdown, which is also readable in a terminal. */
import type { Bar, Section } from "./scenarios/scenario.ts";
import { formatRatio } from "./units.ts";

export interface Report {
  /** ISO date. */
  readonly date: string;
  readonly machine: readonly string[];
  /** Repeats the run. */
  readonly command: string;
  readonly method: string;
  readonly sections: readonly Section[];
}

export function formatReport({ date, machine, command, method, sections }: Report): string {
  return [
    "# Measurements\n",
    `Measured on ${date} by \`${command}\`, which wrote this file.\n`,
    ...machine.map((line) => `- ${line}`),
    `\n${method}\n`,
    sections.map(formatSection).join("\n"),
  ].join("\n");
}

function formatSection({ title, about, columns, rows, bars }: Section): string {
  const verdicts = bars.map((bar) => `- ${formatBar(bar)}\n`).join("");
  return `## ${title}\n\n${about}\n\n${formatTable(columns, rows)}\n${verdicts === "" ? "" : `\n${verdicts}`}`;
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
