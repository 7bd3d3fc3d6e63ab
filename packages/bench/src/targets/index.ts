import { startServer } from "@durable-streams-cloudflare/testkit/server-process";
import { signToken } from "@durable-streams-cloudflare/testkit/token";

import { startBareWorkerd, startLeastProgram } from "./bare-workerd.ts";
import { startForked } from "./forked.ts";
import type { TargetKind } from "./target.ts";

const REFERENCE = new URL("reference-program.ts", import.meta.url);
const NO_OP = new URL("no-op-program.ts", import.meta.url);

export const NPM_START = npmStart("npm start", {});

const MIB = 1024 * 1024;

export const SEGMENT_BYTES_OFTEN = MIB;
/** About a segment per second, many more than in any real stream. */
export const ROLLING_OFTEN = npmStart("npm start, segments of 1 MiB", { SEGMENT_BYTES: SEGMENT_BYTES_OFTEN });
/** As much of a stream as possible is in R2. */
export const ROLLING_FULL = npmStart("npm start, cold", { SEGMENT_BYTES: 4 * MIB });
/** No segment is moved to R2 during a measurement. */
export const ROLLING_NEVER = npmStart("npm start, no segments", { SEGMENT_BYTES: 256 * MIB, SEGMENT_AGE_SECONDS: 0 });

const PROJECT_SECRET = "project-secret-of-the-measurements-0123456789";

/** The same with `AUTH_MODE=project`. */
export const NPM_START_WITH_TOKENS = npmStart("npm start, with tokens", { AUTH_MODE: "project", PROJECT_SECRET });

/** Signs a token for that target which outlasts any measurement. */
export function newToken(scope: string): string {
  const exp = Math.floor(Date.now() / 1000) + 24 * 3_600;
  return signToken(PROJECT_SECRET, { sub: "default", scope, exp });
}

export const BARE_WORKERD: TargetKind = { name: "bare workerd", isExtra: true, start: startBareWorkerd };

/** Not a stream server: shows the cost of one call to an object with one statement in it on this runtime. */
export const LEAST_PROGRAM: TargetKind = { name: "least program on workerd", isExtra: true, start: startLeastProgram };

export const REFERENCE_ON_DISK: TargetKind = {
  name: "reference, data directory",
  start: (dataDir) => startForked(REFERENCE, [dataDir]),
};

export const REFERENCE_IN_MEMORY: TargetKind = {
  name: "reference, in memory",
  start: () => startForked(REFERENCE, []),
};

function npmStart(name: string, vars: Readonly<Record<string, string | number>>): TargetKind {
  return {
    name,
    start: async (dataDir) => {
      const server = await startServer({ dataDir, vars: { TENANCY: "single", AUTH_MODE: "none", ...vars } });
      return { url: server.url, pids: () => [server.pid, server.servingPid()], stop: () => server.kill9() };
    },
  };
}

/** Not a stream server: shows the limit of the load tool itself. */
export const NO_OP_SERVER: TargetKind = {
  name: "no-op server",
  isExtra: true,
  start: () => startForked(NO_OP, []),
};
