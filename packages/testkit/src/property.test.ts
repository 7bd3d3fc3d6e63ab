import { spawnSync } from "node:child_process";

import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { assertProperty } from "./property.ts";

beforeEach(() => {
  vi.stubEnv("FC_SEED", "17");
  vi.stubEnv("FC_RUNS", "");
});
afterEach(() => vi.unstubAllEnvs());

const small = fc.property(fc.nat(1_000), (value) => value < 10);
const anything = fc.property(fc.nat(), () => true);

it("a property that fails says its seed, its number of runs and the counterexample", async () => {
  const message = expect.stringMatching(/small: .* FC_SEED=17 FC_RUNS=100\n.*Counterexample: \[10\]/s);
  await expect(assertProperty("small", small, 100)).rejects.toThrow(expect.objectContaining({ message }));
});

it("so does one whose runs have not reached what they are made for", async () => {
  const unreached = assertProperty("all", anything, 5, () => {
    throw new Error("Nothing was deleted.");
  });
  await expect(unreached).rejects.toThrow("all: to repeat this, set FC_SEED=17 FC_RUNS=5\nNothing was deleted.");
});

it("fewer runs than usual, as those that repeat a failure, need not reach anything", async () => {
  vi.stubEnv("FC_RUNS", "4");
  let asked = 0;
  await assertProperty("few", anything, 5, () => void (asked += 1));
  expect(asked).toBe(0);
});

it("and so does one in which a promise fails that nobody waits for", () => {
  const path = JSON.stringify(new URL("property.ts", import.meta.url).href);
  const script = `
    import fc from "fast-check";
    const { assertProperty } = await import(${path});
    const property = fc.asyncProperty(fc.nat(), async () => {
      void Promise.reject(new Error("lost on its way"));
      await new Promise((resolve) => setImmediate(resolve));
    });
    await assertProperty("stray", property, 1).catch(({ message }) => console.log(message));`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: import.meta.dirname,
    encoding: "utf8",
    env: { ...process.env, FC_SEED: "17" },
  });
  expect(stdout).toContain("stray: to repeat this, set FC_SEED=17 FC_RUNS=1\nlost on its way");
});
