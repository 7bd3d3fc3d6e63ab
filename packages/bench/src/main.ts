/** `npm run bench`; `--help` lists its arguments. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { formatUsage, readArguments, type Arguments } from "./arguments.ts";
import { writeCpuTimes } from "./cost/cpu-times.ts";
import { describeMachine } from "./machine.ts";
import { plotSections } from "./plot.ts";
import { formatReport, reportData, type Report, type ReportSection } from "./report.ts";
import { runScenario, secondsOf } from "./run-scenario.ts";
import { SCENARIOS } from "./scenarios/index.ts";
import type { Scenario } from "./scenarios/scenario.ts";

const DOCS = fileURLToPath(new URL("../../../docs", import.meta.url));
const RESULTS = join(DOCS, "bench.md");
const PLOTS = "bench";

async function bench(args: Arguments): Promise<void> {
  const startMs = performance.now();
  const sections: ReportSection[] = [];
  let left = Object.entries(SCENARIOS).filter(([name]) => args.names.includes(name));
  const totalOf = (all: typeof left): number => all.reduce((sum, [, { budget }]) => sum + secondsOf(budget, args), 0);
  const total = totalOf(left);
  for (const [name, scenario] of left) {
    // If a scenario takes too long on a busy machine, the measurements of the remaining ones become shorter.
    const secondsLeft = total - (performance.now() - startMs) / 1_000;
    const share = Math.min(1, Math.max(0, secondsLeft / totalOf(left)));
    sections.push(...(await measure(name, scenario, args, share)));
    left = left.slice(1);
  }
  const { against } = args;
  const report = { machine: describeMachine(), method: METHOD, run: runOf(args), against, sections };
  write(report, args);
  process.stdout.write(formatReport(report));
  console.error(`${Math.round((performance.now() - startMs) / 1_000)} s.`);
}

/** Measures a scenario. If it fails, the others still run. */
async function measure(
  name: string,
  scenario: Scenario,
  args: Arguments,
  share: number,
): Promise<readonly ReportSection[]> {
  const startMs = performance.now();
  try {
    const sections = await runScenario(scenario, args, share);
    console.error(`${name}: ${formatTime((performance.now() - startMs) / 1_000, secondsOf(scenario.budget, args))}`);
    if (name === "cpu" && args.write) writeCpuTimes(sections, `${today()}, ${describeMachine()[0] ?? ""}`);
    const plot = plotSections(name, sections);
    if (plot === undefined || !args.write) return sections;
    mkdirSync(join(DOCS, PLOTS), { recursive: true });
    writeFileSync(join(DOCS, PLOTS, `${name}.svg`), plot);
    return sections.map((section, index) => (index === 0 ? { ...section, plot: `${PLOTS}/${name}.svg` } : section));
  } catch (error) {
    console.error(`${name} failed:`, error);
    process.exitCode = 1;
    return [];
  }
}

/** A budget is the time that a scenario takes on two idle processors. */
function formatTime(seconds: number, budget: number): string {
  const isOver = seconds > budget;
  return `${Math.round(seconds)} s${isOver ? `, more than its ${budget} s` : ""}`;
}

function write(report: Report, { json, write: isWritten }: Arguments): void {
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(reportData(report), undefined, 2)}\n`);
  const earlier = existsSync(RESULTS) ? readFileSync(RESULTS, "utf8") : "";
  if (isWritten) writeFileSync(RESULTS, formatReport(report, earlier));
}

const METHOD = [
  "All targets of a section run at the same time on this machine, and are measured in turns, in several rounds, by the same",
  "load tool. The tool runs in a process of its own and uses kept-alive HTTP connections; each round is a warm-up, then the",
  "measurement. Each connection waits for an answer before it sends again, so latencies are those of the server, not of a",
  "queue in front of it. Only live delivery, and publishing where stated, is measured with a writer that keeps a fixed pace.",
  "Figures are medians of the rounds; the spread is the lowest and the highest round. A request that fails ends the scenario.",
  "Load tool and servers share the processors, so a fast server often waits for the tool: its processor time for each request,",
  "the warm-up included, then says more than the rate. It is that of all processes and threads of the target.",
].join("\n");

function runOf({ rounds, seconds }: Arguments): string {
  const flags = process.argv.slice(2).map((flag) => (flag.includes(" ") ? JSON.stringify(flag) : flag));
  const command = ["npm run bench", ...(flags.length === 0 ? [] : ["--", ...flags])].join(" ");
  const times = seconds === undefined ? "within their budgets" : `of ${seconds} s, each after a warm-up of 1 s`;
  return `${today()}, \`${command}\`: ${rounds} ${rounds === 1 ? "round" : "rounds"} ${times}.`;
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

let args: Arguments | "help";
try {
  args = readArguments(SCENARIOS);
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${formatUsage(SCENARIOS)}`);
  process.exit(2);
}
if (args === "help") console.log(formatUsage(SCENARIOS));
else await bench(args);
