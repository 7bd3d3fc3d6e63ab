/**
 * Everything that must hold before a change is merged. Runs every step even when one fails, then says which failed:
 * `npm test`, or `npm run verify -- lint test` for some of the steps.
 */
import { spawnSync } from "node:child_process";

/** Scripts of the root package.json, cheapest answers first. */
const STEPS = ["typecheck", "lint", "format:check", "knip", "check-spec", "build", "bundle", "test:all"];

const chosen = process.argv.length > 2 ? process.argv.slice(2) : STEPS;
const unknown = chosen.filter((step) => !STEPS.includes(step));
if (unknown.length > 0) throw new Error(`No such step: ${unknown.join(", ")}. Steps: ${STEPS.join(", ")}`);

const results = chosen.map((step) => {
  console.log(`\n━━ ${step}`);
  const startMs = performance.now();
  const { status } = spawnSync(process.execPath, ["--run", step], { stdio: "inherit" });
  return { step, ok: status === 0, seconds: (performance.now() - startMs) / 1000 };
});

console.log("\n━━ summary");
for (const { step, ok, seconds } of results) {
  console.log(`${ok ? "✓" : "✗"} ${step.padEnd(14)} ${seconds.toFixed(1)} s`);
}
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;
