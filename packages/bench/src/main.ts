/** `npm run bench -- [scenario …] [--rounds N] [--seconds N] [--followers N] [--write]` */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { startLoadDriver } from "./load/driver.ts";
import { describeMachine } from "./machine.ts";
import { formatReport } from "./report.ts";
import { APPEND } from "./scenarios/append.ts";
import { AUTH } from "./scenarios/auth.ts";
import { COLD } from "./scenarios/cold.ts";
import { FAN_OUT } from "./scenarios/fan-out.ts";
import { HOSTILE } from "./scenarios/hostile.ts";
import { READ } from "./scenarios/read.ts";
import { ROLL } from "./scenarios/roll.ts";
import type { RunningTarget, Scenario, Section } from "./scenarios/scenario.ts";
import type { Target } from "./targets/target.ts";

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  append: APPEND,
  read: READ,
  roll: ROLL,
  cold: COLD,
  "fan-out": FAN_OUT,
  auth: AUTH,
  hostile: HOSTILE,
};
const RESULTS = fileURLToPath(new URL("../../../docs/bench.md", import.meta.url));
const WARM_UP_MS = 1_000;
const FOLLOWERS_MAX = 10_000;

const USAGE = `npm run bench -- [${Object.keys(SCENARIOS).join("|")} …] [--rounds N] [--seconds N] [--write]

  --rounds N     how often each target is measured (3)
  --seconds N    how long each measurement is (3)
  --followers N  sessions that follow one stream in fan-out (1000, at most ${FOLLOWERS_MAX})
  --write        write docs/bench.md: these scenarios anew, the others as they are`;

interface Arguments {
  readonly names: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly followers: number;
  readonly write: boolean;
}

function readArguments(): Arguments {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "3" },
      followers: { type: "string", default: "1000" },
      write: { type: "boolean", default: false },
    },
  });
  const names = positionals.length === 0 ? Object.keys(SCENARIOS) : positionals;
  const [rounds, seconds, followers] = [Number(values.rounds), Number(values.seconds), Number(values.followers)];
  if (!names.every((name) => name in SCENARIOS)) throw new Error(`There is no such scenario: ${names.join(" ")}.`);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds takes a whole number from 1.");
  if (!(seconds > 0)) throw new Error("--seconds takes a number above 0.");
  if (!Number.isInteger(followers) || followers < 1 || followers > FOLLOWERS_MAX) {
    throw new Error(`--followers takes a whole number from 1 to ${FOLLOWERS_MAX}.`);
  }
  return { names, rounds, seconds, followers, write: values.write };
}

async function runScenario(scenario: Scenario, { rounds, seconds, followers }: Arguments): Promise<readonly Section[]> {
  const directory = mkdtempSync(join(tmpdir(), "bench-"));
  const driver = startLoadDriver();
  const started: Target[] = [];
  const targets: RunningTarget[] = [];
  try {
    for (const kind of scenario.targets) {
      const dataDir = mkdtempSync(join(directory, "target-"));
      const target = await kind.start(dataDir);
      started.push(target);
      targets.push({ kind, url: target.url, dataDir });
    }
    const times = { warmUpMs: WARM_UP_MS, measureMs: seconds * 1_000 };
    return await scenario.run({ driver, targets, rounds, followers, ...times });
  } finally {
    driver.stop();
    await Promise.all(started.map((target) => target.stop()));
    rmSync(directory, { recursive: true, force: true });
  }
}

async function bench(args: Arguments): Promise<void> {
  const sections: Section[] = [];
  for (const name of args.names) {
    const scenario = SCENARIOS[name];
    if (scenario !== undefined) sections.push(...(await runScenario(scenario, args)));
  }
  const report = { machine: describeMachine(), method: METHOD, run: runOf(args), sections };
  if (args.write)
    writeFileSync(RESULTS, formatReport(report, existsSync(RESULTS) ? readFileSync(RESULTS, "utf8") : ""));
  process.stdout.write(formatReport(report));
}

const METHOD = [
  "All targets of a section run at once on this machine and are measured in turns, by the same load tool in a process of",
  "its own over kept-alive HTTP connections: a warm-up first, then the measurement, and that several times. Each connection",
  "waits for an answer before it sends again, so latencies are those of the server, not of a queue before it. Figures are",
  "medians of the rounds; the spread is the lowest and the highest round. A request that fails ends the run.",
].join("\n");

function runOf({ rounds, seconds }: Arguments): string {
  const command = `npm run bench -- ${process.argv.slice(2).join(" ")}`.replace(/ -- $/, "");
  const times = `${rounds} rounds of ${seconds} s after ${WARM_UP_MS / 1_000} s`;
  return `${new Date().toISOString().slice(0, 10)}, \`${command}\`: ${times}.`;
}

let args: Arguments;
try {
  args = readArguments();
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exit(2);
}
await bench(args);
