import { join } from "node:path";

import type { Engine } from "@durable-streams-cloudflare/testkit/engine";
import { startServer } from "@durable-streams-cloudflare/testkit/server-process";
import { signToken } from "@durable-streams-cloudflare/testkit/token";

import { startBareWorkerd, startLeastProgram } from "./bare-workerd.ts";
import { startForked } from "./forked.ts";
import type { TargetKind } from "./target.ts";

const REFERENCE = new URL("reference-program.ts", import.meta.url);
const NODE_PROGRAM = new URL("node-program.ts", import.meta.url);
const NO_OP = new URL("no-op-program.ts", import.meta.url);
const CONSTANT = new URL("constant-program.ts", import.meta.url);

/** Keeps segments out of the way of a measurement. */
const NO_SEGMENTS = { SEGMENT_BYTES: 256 * 1024 * 1024, SEGMENT_AGE_SECONDS: 0 };
const MIB = 1024 * 1024;

/** What `npm start -- --engine node` starts: an append is answered once it is durable. */
export const NODE = npmStart("node", "node", {});
/** All of a stream is in the database. */
export const NODE_HOT = npmStart("node, no segments", "node", NO_SEGMENTS);
export const NODE_MEMORY: TargetKind = { name: "node, in memory", start: () => startForked(NODE_PROGRAM, []) };

const PROJECT_SECRET = "project-secret-of-the-measurements-0123456789";
/** The same with `AUTH_MODE=project`. */
export const NODE_WITH_TOKENS = npmStart("node, with tokens", "node", { AUTH_MODE: "project", PROJECT_SECRET });

/** What `npm start -- --engine workerd` starts. */
export const WORKERD = npmStart("workerd", "workerd", {});
export const SEGMENT_BYTES_OFTEN = MIB;
/** About a segment per second, many more than in any real stream. */
export const WORKERD_ROLLING_OFTEN = npmStart("workerd, segments of 1 MiB", "workerd", {
  SEGMENT_BYTES: SEGMENT_BYTES_OFTEN,
});
/** No segment is moved to R2 during a measurement. */
export const WORKERD_HOT: TargetKind = {
  ...npmStart("workerd, no segments", "workerd", NO_SEGMENTS),
  isExtra: true,
};

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

type Variables = Readonly<Record<string, string | number>>;

/** @param root another checkout of this repository, instead of this one. */
function npmStart(name: string, engine: Engine, vars: Variables, root?: string): TargetKind {
  const program = root === undefined ? {} : { program: [join(root, "packages/local/src/main.ts")] };
  return {
    name,
    ...(root === undefined ? { inCheckout: (other) => npmStart(`${name}, ${other}`, engine, vars, other) } : {}),
    start: async (dataDir) => {
      const settings = { TENANCY: "single", AUTH_MODE: "none", ...vars };
      const server = await startServer({ engine, dataDir, vars: settings, ...program });
      return {
        url: server.url,
        pids: () => [...new Set([server.pid, server.servingPid()])],
        stop: () => server.kill9(),
      };
    },
  };
}

/** Not a stream server: shows the limit of the load tool itself. */
export const NO_OP_SERVER: TargetKind = {
  name: "no-op server",
  isExtra: true,
  start: () => startForked(NO_OP, []),
};

/** Not a stream server: shows how fast Node.js can send bytes to the load tool, without reading them from anywhere. */
export const CONSTANT_SERVER: TargetKind = {
  name: "constant bytes",
  isExtra: true,
  start: () => startForked(CONSTANT, []),
};
