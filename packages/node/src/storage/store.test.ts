import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it, onTestFinished } from "vitest";

import { NOBODY, Store } from "./store.ts";

it("a write that comes while the store closes does not count as a failed disk", async () => {
  const root = mkdtempSync(join(tmpdir(), "store-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const fatal: unknown[] = [];
  const store = new Store({
    mode: "file-durable",
    path: join(root, "streams.sqlite"),
    fire: () => Promise.resolve(),
    onFatal: (error) => fatal.push(error),
  });
  const closed = store.close();
  // The drain has returned by then, and the thread that syncs is ending.
  await Promise.resolve();
  await Promise.resolve();
  await Promise.resolve();
  const late = store.run(NOBODY, "DELETE FROM alarms WHERE o = ?", 1);
  await Promise.allSettled([closed, late.settled()]);
  expect(fatal).toEqual([]);
});
