/** Puts load on a target, and measures the processor time that it takes for each request. */
import { cpuMsOf } from "../cpu-time.ts";
import type { LoadDriver } from "../load/driver.ts";
import type { LoadJob, LoadResult } from "../load/job.ts";
import { median } from "../statistics.ts";
import { formatMicros } from "../units.ts";
import type { RunningTarget } from "./scenario.ts";

export interface MeasuredLoad extends LoadResult {
  /** Of all processes of the target; absent where it cannot be read. */
  readonly cpuMsEach: number | undefined;
}

/** The heading of its column. */
export const CPU_COLUMN = "Processor time each";

export async function measureLoad(driver: LoadDriver, target: RunningTarget, job: LoadJob): Promise<MeasuredLoad> {
  const before = cpuMsOf(target.pids());
  const result = await driver.run(job);
  const after = cpuMsOf(target.pids());
  const spentMs = before === undefined || after === undefined ? undefined : after - before;
  return { ...result, cpuMsEach: spentMs === undefined ? undefined : spentMs / result.requestsInAll };
}

/** The median of all rounds. @param amount what one request counts for. */
export function formatCpu(results: readonly Pick<MeasuredLoad, "cpuMsEach">[], amount = 1): string {
  const values = results.flatMap(({ cpuMsEach }) => cpuMsEach ?? []);
  return values.length === 0 ? "–" : formatMicros(median(values) / amount);
}
