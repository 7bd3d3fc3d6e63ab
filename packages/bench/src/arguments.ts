/** The command line of `npm run bench`. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";

import type { Scenario } from "./scenarios/scenario.ts";

const FOLLOWERS_MAX = 10_000;
const [ROUNDS, QUICK_ROUNDS] = [3, 1];
const [FOLLOWERS, QUICK_FOLLOWERS] = [1_000, 50];

export interface Arguments {
  readonly names: readonly string[];
  readonly isQuick: boolean;
  readonly rounds: number;
  /** How long each measurement takes; `undefined`: as long as the scenario's budget allows. */
  readonly seconds: number | undefined;
  readonly followers: number;
  readonly against: string | undefined;
  /** Another server to measure: the URL before a stream's name, and the headers of every request. */
  readonly url: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Another checkout of this repository, whose servers are measured, too. */
  readonly beside: string | undefined;
  readonly json: string | undefined;
  readonly write: boolean;
}

type Scenarios = Readonly<Record<string, Scenario>>;

export function formatUsage(scenarios: Scenarios): string {
  const width = Math.max(...Object.keys(scenarios).map((name) => name.length));
  const seconds = (budget: number | undefined): string => (budget === undefined ? "-" : `${budget} s`).padStart(6);
  const lines = Object.entries(scenarios).map(
    ([name, { summary, budget }]) =>
      `  ${name.padEnd(width)} ${seconds(budget.full)} ${seconds(budget.quick)}  ${summary}`,
  );
  const sum = (kind: "full" | "quick"): number =>
    Object.values(scenarios).reduce((total, { budget }) => total + (budget[kind] ?? 0), 0);
  return `npm run bench -- [SCENARIO …] [--quick] [--against NAME] [--url URL] [--json FILE] [--write]

Without a name, all scenarios that have a time below are run. The first time is for a full run, the second for --quick: how
long each may take on two idle processors, ${sum("full")} s and ${sum("quick")} s in total. "-": runs only if it is named.

${lines.join("\n")}

  --quick          one round, shorter, without the largest numbers and without bare workerd
  --rounds N       how often each target is measured (${ROUNDS}, or ${QUICK_ROUNDS} with --quick)
  --seconds N      how long each measurement takes, regardless of the budgets
  --followers N    sessions that follow one stream in fan-out (${FOLLOWERS}, or ${QUICK_FOLLOWERS} with --quick, at most ${FOLLOWERS_MAX})
  --against NAME   the target that the others are compared with, by its name in the tables
  --url URL        also measure the server at this URL, which ends where a stream's name begins, such as
                   https://example.com/v1/stream/my-project/; the streams that it creates stay there
  --header "N: V"  a header for every request to that server; repeatable
  --beside DIR     also measure the servers of another checkout of this repository, with its dependencies installed
  --json FILE      write the figures of every round to FILE
  --write          write docs/bench.md and docs/bench/*.svg; sections of other scenarios stay as they are
  --help           print this help`;
}

/** @throws Error that says what is wrong with the arguments. */
export function readArguments(scenarios: Scenarios): Arguments | "help" {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      seconds: { type: "string" },
      followers: { type: "string" },
      against: { type: "string" },
      url: { type: "string" },
      header: { type: "string", multiple: true, default: [] },
      beside: { type: "string" },
      json: { type: "string" },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const unknown = positionals.filter((name) => !(name in scenarios));
  if (unknown.length > 0) throw new Error(`Unknown scenario: ${unknown.join(" ")}.`);
  const kind = values.quick ? "quick" : "full";
  const defaults = Object.keys(scenarios).filter((name) => scenarios[name]?.budget[kind] !== undefined);
  return {
    names: positionals.length === 0 ? defaults : positionals,
    isQuick: values.quick,
    rounds: wholeNumber("--rounds", values.rounds ?? String(values.quick ? QUICK_ROUNDS : ROUNDS), 1_000),
    seconds: values.seconds === undefined ? undefined : positive("--seconds", values.seconds),
    followers: wholeNumber(
      "--followers",
      values.followers ?? String(values.quick ? QUICK_FOLLOWERS : FOLLOWERS),
      FOLLOWERS_MAX,
    ),
    against: values.against,
    url: values.url === undefined ? undefined : new URL(values.url).href,
    headers: Object.fromEntries(values.header.map(readHeader)),
    beside: values.beside === undefined ? undefined : resolve(values.beside),
    json: values.json,
    write: values.write,
  };
}

function wholeNumber(flag: string, text: string, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new Error(`${flag} must be a whole number from 1 to ${max}.`);
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new Error(`${flag} must be a number above 0.`);
}

function readHeader(text: string): [string, string] {
  const match = /^([^:\s]+):\s*(.*)$/.exec(text);
  if (match === null) throw new Error('--header must have the form "Name: value".');
  return [match[1] ?? "", match[2] ?? ""];
}
