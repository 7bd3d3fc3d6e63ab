/** Formats the figures as Markdown, which is also readable in a terminal, and as JSON. */
import { ratiosOf } from "./ratios.ts";
import type { Bar, Section } from "./scenarios/scenario.ts";
import { spreadOf } from "./statistics.ts";
import { formatRatio } from "./units.ts";

export interface Report {
  readonly machine: readonly string[];
  readonly method: string;
  /** A sentence that says when and how the sections were measured. */
  readonly run: string;
  /** The name of the target that the others are compared with. */
  readonly against?: string | undefined;
  readonly sections: readonly ReportSection[];
}

export interface ReportSection extends Section {
  /** The path of its plot, relative to the report. */
  readonly plot?: string;
}

const HEADING = "## ";

/** @param earlier the existing report: its sections stay, except for those that were measured again. */
export function formatReport(report: Report, earlier = ""): string {
  const kept = sectionsOf(earlier);
  for (const section of report.sections) kept.set(section.title, formatSection(section, report));
  return [
    "# Measurements\n",
    "`npm run bench -- --write` writes this page; each section says when it was measured, and with which command.\n",
    ...report.machine.map((line) => `- ${line}`),
    `\n${report.method}\n`,
    [...kept.values()].join("\n"),
  ].join("\n");
}

/** The report for programs: it has every round's value in addition to the table's text. */
export function reportData({ machine, run, against, sections }: Report): object {
  return {
    machine,
    run,
    sections: sections.map(({ title, columns, rows, bars, figures }) => {
      const ratios = figures && ratiosOf(figures, against);
      return {
        title,
        columns,
        rows,
        bars,
        ...(figures && {
          unit: figures.unit,
          better: figures.better,
          against: ratios?.against,
          figures: [...figures.values].map(([name, rounds]) => ({
            name,
            rounds,
            ...spreadOf(rounds),
            ratio: ratios?.of.get(name),
          })),
        }),
      };
    }),
  };
}

/** Splits a report into sections by their titles, in order. */
function sectionsOf(report: string): Map<string, string> {
  const [, ...texts] = report.split(new RegExp(`^${HEADING}`, "m"));
  return new Map(texts.map((text) => [text.slice(0, text.indexOf("\n")), `${HEADING}${text.trimEnd()}\n`]));
}

function formatSection(section: ReportSection, { run, against }: Report): string {
  const { title, about, plot, bars } = section;
  const { columns, rows } = withRatios(section, against);
  const image = plot === undefined ? [] : [`![Plot of the figures below](${plot})`];
  // A bar has no figure if one of its targets was left out.
  const verdicts = bars.filter(({ measured }) => !Number.isNaN(measured)).map((bar) => `- ${formatBar(bar)}`);
  const parts = [`${HEADING}${title}`, about, run, ...image, formatTable(columns, rows)];
  return `${[...parts, ...(verdicts.length === 0 ? [] : [verdicts.join("\n")])].join("\n\n")}\n`;
}

function withRatios(
  { columns, rows, figures }: Section,
  wanted: string | undefined,
): Pick<Section, "columns" | "rows"> {
  const ratios = figures && ratiosOf(figures, wanted);
  if (ratios === undefined) return { columns, rows };
  const ratioOf = (name = ""): string => {
    const ratio = ratios.of.get(name);
    return ratio === undefined ? "" : formatRatio(ratio);
  };
  return { columns: [...columns, `× ${ratios.against}`], rows: rows.map((row) => [...row, ratioOf(row[0])]) };
}

function formatBar({ claim, atLeast, atMost, measured, unit = "×" }: Bar): string {
  const isMet = measured >= (atLeast ?? -Infinity) && measured <= (atMost ?? Infinity);
  const goal = atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`;
  const verdict = isMet ? "met" : "**missed**";
  return `${claim}: ${unit === "×" ? formatRatio(measured) : `${measured.toFixed(1)} ${unit}`} (goal: ${goal} ${unit}): ${verdict}.`;
}

function formatTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, index) => Math.max(column.length, ...rows.map((row) => row[index]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, index) => pad(cell, widths[index] ?? 0, index)).join(" | ")} |`;
  const rule = widths.map((width, index) => (index === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [line(columns), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n");
}

/** Names are aligned left, figures right. */
function pad(cell: string, width: number, index: number): string {
  return index === 0 ? cell.padEnd(width) : cell.padStart(width);
}
