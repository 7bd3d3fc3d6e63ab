import { expect, it } from "vitest";

import type { AppendCommand, CreateCommand } from "./stream.ts";

/**
 * While a release is rolled out, its edges call objects of the release before, and the other way round. A field that has
 * another name is not there for them: a request id that is not there makes duplicates. So none is renamed, and new ones are
 * optional.
 */
const OF_APPEND: Record<keyof AppendCommand, true> = {
  bytes: true,
  contentType: true,
  close: true,
  producer: true,
  streamSeq: true,
  expected: true,
  author: true,
  delivery: true,
  isLimited: true,
  mayWait: true,
  fault: true,
  attempt: true,
  repeatedAfterMs: true,
};
const OF_CREATE: Record<keyof CreateCommand, true> = {
  contentType: true,
  lifetime: true,
  retention: true,
  closed: true,
  byDefault: true,
  bytes: true,
  recordsAuthors: true,
  author: true,
  fork: true,
  attempt: true,
  repeatedAfterMs: true,
};

it("a command's request id has the name that the release before knows", () => {
  expect([Object.keys(OF_APPEND), Object.keys(OF_CREATE)]).toEqual([
    expect.arrayContaining(["attempt", "repeatedAfterMs"]),
    expect.arrayContaining(["attempt", "repeatedAfterMs"]),
  ]);
});
