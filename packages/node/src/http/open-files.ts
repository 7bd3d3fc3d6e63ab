/** How many files this process may open, and has open. A connection is one of them. */

import { readdirSync } from "node:fs";

/** What the types of Node.js lack. */
interface ReportOptions {
  excludeNetwork?: boolean | undefined;
}

/** The limit of this process; `undefined` where there is none. Node.js raises its soft limit to the hard one when it starts. */
export function openFilesMax(): number | undefined {
  const report = process.report as ReportOptions & typeof process.report;
  const before = report.excludeNetwork;
  // Otherwise the report would look up the names of all peers.
  report.excludeNetwork = true;
  const { userLimits } = report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
  report.excludeNetwork = before;
  const soft = userLimits?.open_files?.soft;
  return typeof soft === "number" ? soft : undefined;
}

/** How many are open; `undefined` where the system does not report it. */
export function openFiles(): number | undefined {
  for (const folder of ["/proc/self/fd", "/dev/fd"]) {
    try {
      return readdirSync(folder).length;
    } catch {
      // Not on this system.
    }
  }
  return undefined;
}
