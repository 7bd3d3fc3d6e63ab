/** One thing that doctor looks at. */

import { CliError, reasonOf } from "../failure.ts";

export type Status = "ok" | "warn" | "fail" | "skip";

export interface Finding {
  readonly status: Status;
  readonly detail: string;
  /** Of what is not ok: exactly what to do. */
  readonly fix?: string;
}

export interface Check {
  /** Stable: scripts compare it. */
  readonly id: string;
  readonly run: () => Promise<Finding>;
}

export interface Report extends Finding {
  readonly check: string;
}

/** In their order; what throws has failed. */
export async function examine(
  checks: readonly Check[],
  signal: AbortSignal,
  tell: (report: Report) => void,
): Promise<Report[]> {
  const reports: Report[] = [];
  for (const { id, run } of checks) {
    const finding = await run().catch(failure);
    signal.throwIfAborted();
    const report = { check: id, ...finding };
    reports.push(report);
    tell(report);
  }
  return reports;
}

export function ok(detail: string): Finding {
  return { status: "ok", detail };
}

function failure(error: unknown): Finding {
  if (!(error instanceof CliError))
    return { status: "fail", detail: reasonOf(error), fix: "run it again; if it stays, report it" };
  const { message, why, fix } = error;
  return { status: "fail", detail: why === undefined ? message : `${message} ${why}`, fix };
}
