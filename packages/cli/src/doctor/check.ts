/** A check of `doctor`. */

import { CliError, reasonOf } from "../failure.ts";

export type Status = "ok" | "warn" | "fail" | "skip";

export interface Finding {
  readonly status: Status;
  readonly detail: string;
  /** Exactly what to do, unless the status is ok. */
  readonly fix?: string;
}

export interface Check {
  /** Stable, because scripts compare it. */
  readonly id: string;
  readonly run: () => Promise<Finding>;
}

export interface Report extends Finding {
  readonly check: string;
}

/** Runs the checks in order. A check that throws has failed. */
export async function examine(
  checks: readonly Check[],
  signal: AbortSignal,
  onReport: (report: Report) => void,
): Promise<Report[]> {
  const reports: Report[] = [];
  for (const { id, run } of checks) {
    const finding = await run().catch(failure);
    signal.throwIfAborted();
    const report = { check: id, ...finding };
    reports.push(report);
    onReport(report);
  }
  return reports;
}

export function ok(detail: string): Finding {
  return { status: "ok", detail };
}

function failure(error: unknown): Finding {
  if (!(error instanceof CliError))
    return { status: "fail", detail: reasonOf(error), fix: "run doctor again; if the error persists, report it" };
  const { message, why, fix } = error;
  return { status: "fail", detail: why === undefined ? message : `${message} ${why}`, fix };
}
