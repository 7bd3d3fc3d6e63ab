/** Stores the measurements of the scenario `cpu` for the page of costs. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { CPU_ROWS } from "../scenarios/cpu.ts";
import type { Section } from "../scenarios/scenario.ts";
import { median } from "../statistics.ts";

const FILE = new URL("cpu.json", import.meta.url);
const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));

/** @param measured when and on which machine they were measured. */
export function writeCpuTimes(sections: readonly Section[], measured: string): void {
  const values = sections[0]?.figures?.values;
  const times = Object.entries(CPU_ROWS).map(([name, row]) => [
    name,
    Number(median(values?.get(row) ?? []).toFixed(3)),
  ]);
  writeFileSync(FILE, `${JSON.stringify({ measured, ...Object.fromEntries(times) }, undefined, 2)}\n`);
  execFileSync(process.execPath, ["--run", "docs"], { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
}
