/**
 * Begins with the files that take longest, so that none of them is left running alone at the end. A fresh clone has no record
 * of an earlier run, and vitest would then take a large file for a long one.
 */
import { relative } from "node:path";

import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files of all projects, longest first, from the root of the repository. One that is run by two projects stands here once. */
export const LONGEST: readonly string[] = [
  "packages/server/test/workers/strangers.test.ts",
  "packages/server/test/workers/property.test.ts",
  "packages/node/src/bad-segments.test.ts",
  "packages/server/test/workers/cold-segments.test.ts",
  "packages/node/src/output-gate.test.ts",
  "packages/node/src/output-gate-doors.test.ts",
  "packages/server/test/workers/live-readers.test.ts",
  "packages/node/src/full-disk.test.ts",
  "packages/node/src/http/slow-clients.test.ts",
  "packages/cli/src/setup/setup.test.ts",
  "packages/e2e/test/packages.test.ts",
  "packages/e2e/test/conformance-node.test.ts",
  "packages/e2e/test/conformance.test.ts",
  "packages/e2e/test/launcher-workerd.test.ts",
  "packages/e2e/test/crash.test.ts",
  "packages/e2e/test/launcher.test.ts",
  "packages/e2e/test/bad-start-node.test.ts",
  "packages/e2e/test/chromium.test.ts",
  "packages/e2e/test/nginx.test.ts",
  "packages/e2e/test/cold-bucket-node.test.ts",
  "packages/e2e/test/notes/bodies.test.ts",
  "packages/e2e/test/webhook-after-kill.test.ts",
  "packages/e2e/test/event-source.test.ts",
  "packages/e2e/test/projects.test.ts",
  "packages/e2e/test/damaged-streams.test.ts",
  "packages/e2e/test/cold-stream.test.ts",
  "packages/e2e/test/notes/expiry.test.ts",
  "packages/e2e/test/slow-reader.test.ts",
];

const RANKS = new Map(LONGEST.map((file, rank) => [file, rank]));

/** Sorts the files of each group by `LONGEST`; those that are not named come later, in vitest's own order. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const groupOf = ({ project }: TestSpecification): number => project.config.sequence.groupOrder;
    const rankOf = ({ moduleId }: TestSpecification): number =>
      RANKS.get(relative(this.ctx.config.root, moduleId).replaceAll("\\", "/")) ?? LONGEST.length;
    return sorted.toSorted((a, b) => groupOf(a) - groupOf(b) || rankOf(a) - rankOf(b));
  }
}
