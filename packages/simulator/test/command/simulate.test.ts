import { spawnSync } from "node:child_process";

import { describe, expect, it } from "vitest";

import { parseArguments, UsageError } from "../../src/command/arguments.ts";
import { simulate, type Terminal } from "../../src/command/simulate.ts";
import { SCENARIOS } from "../../src/scenarios/index.ts";
import { scenarioOf, type Scenario } from "../../src/scenarios/scenario.ts";

function recorder(): Terminal & { readonly lines: string[] } {
  const lines: string[] = [];
  return { lines, print: (line) => void lines.push(line), progress: () => undefined, now: () => 0 };
}

const request = (scenario: Scenario, seed = 1, steps = 20) => ({ scenarios: [scenario], seed, runs: 1, steps });

/** Of whole numbers; fails as soon as it has taken a 7 and then a 3. */
const brokenWorld = scenarioOf({
  name: "broken",
  about: "does not hold",
  steps: 20,
  stepsOf: (seed, steps) => Array.from({ length: steps }, (_, index) => (seed + index) % 10),
  run: async (plan, onStep) => {
    let isArmed = false;
    for (const [nth, step] of plan.entries()) {
      onStep(nth);
      if (step === 7) isArmed = true;
      if (step === 3 && isArmed) throw new Error("three came after seven");
    }
    return { steps: plan.length };
  },
});

describe("every world", () => {
  it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
    "%s is the same run for the same seed, and another one for another seed",
    async (_name, scenario) => {
      const [first, again, other] = [recorder(), recorder(), recorder()];
      const steps = Math.min(scenario.steps, 300);
      expect(await simulate(request(scenario, 11, steps), first)).toBe(true);
      expect(await simulate(request(scenario, 11, steps), again)).toBe(true);
      expect(await simulate(request(scenario, 12, steps), other)).toBe(true);
      expect(again.lines).toEqual(first.lines);
      expect(other.lines[1]).not.toBe(first.lines[1]);
    },
  );
});

describe("a failure", () => {
  it("says the seed, the step, the steps that are enough for it, and the command that repeats it", async () => {
    const { lines, ...terminal } = recorder();
    expect(await simulate(request(brokenWorld), { ...terminal })).toBe(false);
    expect(lines).toEqual([
      "simulate --world broken --seed 1 --steps 20 --runs 1",
      "✗ broken: seed 1 failed at step 13 of 20",
      "three came after seven",
      "2 of its steps are enough:",
      "  7. 7",
      "  13. 3",
      "They end in: three came after seven",
      "Repeat it: npm run simulate -- --world broken --seed 1 --steps 20",
    ]);
  });

  it("is repeated by that command, also when it came in a later run", async () => {
    const { lines, ...terminal } = recorder();
    const calm = { scenarios: [brokenWorld], seed: 4, runs: 30, steps: 7 };
    expect(await simulate(calm, { ...terminal })).toBe(false);
    const [, args = ""] = /^Repeat it: npm run simulate -- (.*)$/.exec(lines.at(-1) ?? "") ?? [];
    const repeated = parseArguments(args.split(" "), [brokenWorld], () => 0);
    expect(repeated).toEqual({ scenarios: [brokenWorld], seed: 7, runs: 1, steps: 7 });
    expect(repeated && (await simulate(repeated, recorder()))).toBe(false);
  });

  it("may be an error of a promise that nobody waits for", () => {
    const script = `
      import { simulate } from "./src/command/simulate.ts";
      import { scenarioOf } from "./src/scenarios/scenario.ts";
      const run = async () => {
        void Promise.reject(new Error("nobody waited for this"));
        return {};
      };
      const world = scenarioOf({ name: "stray", about: "", steps: 1, stepsOf: () => [0], run });
      const terminal = { print: (line) => console.log(line), progress: () => undefined, now: () => 0 };
      await simulate({ scenarios: [world], seed: 1, runs: 1, steps: 1 }, terminal);`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
      cwd: new URL("../..", import.meta.url),
      encoding: "utf8",
    });
    expect(stdout).toContain("✗ stray: seed 1 failed at step 1 of 1\nnobody waited for this\n");
  });
});

describe("the flags", () => {
  const parse = (...args: string[]) => parseArguments(args, SCENARIOS, () => 99);

  it("choose worlds, seed, steps and runs, and have defaults", () => {
    expect(parse()).toEqual({ scenarios: SCENARIOS, seed: 99, runs: 1, steps: undefined });
    const chosen = parse("--world", "forks", "--seed", "5", "--steps", "7", "--runs", "2");
    expect(chosen).toMatchObject({ scenarios: [{ name: "forks" }], seed: 5, steps: 7, runs: 2 });
    expect(parse("--help")).toBeUndefined();
  });

  it.each([
    [["--world", "atlantis"], "There is no world atlantis. Worlds: all, streams,"],
    [["--seed", "x"], "--seed takes a whole number from 0 to 2147483647, not x."],
    [["--steps", "0"], "--steps takes a whole number from 1"],
    [["--runs", "1.5"], "--runs takes a whole number from 1"],
    [["--sead", "1"], "--sead"],
  ])("%j are refused, with what they may be", (args, message) => {
    expect(() => parse(...args)).toThrow(UsageError);
    expect(() => parse(...args)).toThrow(message);
  });
});

describe("the command", () => {
  const main = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["src/command/main.ts", ...args], {
      cwd: new URL("../..", import.meta.url),
      encoding: "utf8",
    });
    return { status, stdout, stderr };
  };

  it("prints the seed first, then what came of each world, and its speed", () => {
    const { status, stdout, stderr } = main("--world", "streams", "--seed", "3", "--steps", "20");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^simulate --world streams --seed 3 --steps 20 --runs 1\n✓ streams: .* fingerprint \w+\n$/);
    expect(stderr).toMatch(/streams: 20 steps, \d+ steps\/s/);
  });

  it("names every world in its help, and refuses what it does not know with exit code 2", () => {
    const { status, stdout } = main("--help");
    expect(status).toBe(0);
    for (const { name, about } of SCENARIOS)
      expect(stdout).toMatch(new RegExp(`^  ${name} +${about.slice(0, 10)}`, "m"));
    expect(main("--world", "atlantis")).toMatchObject({ status: 2, stderr: expect.stringContaining("--help") });
  });
});
