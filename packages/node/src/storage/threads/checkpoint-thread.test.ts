import { expect, it } from "vitest";

import { CheckpointThread } from "./checkpoint-thread.ts";

it("a thread that has failed says so, and can be closed", async () => {
  const failed = Promise.withResolvers<unknown>();
  const thread = new CheckpointThread(failed.resolve);
  thread.checkpoint("/no/such/directory/streams.sqlite", () => undefined);
  expect(String(await failed.promise)).toContain("unable to open");
  await thread.close();
  // It has ended long ago.
  await thread.close();
});
