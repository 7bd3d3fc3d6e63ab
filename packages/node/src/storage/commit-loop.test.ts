import { expect, it, vi } from "vitest";

import { CommitLoop, type Committed } from "./commit-loop.ts";

/** A disk whose syncs return when the test says so. */
function heldDisk() {
  const syncs: PromiseWithResolvers<void>[] = [];
  const done: string[] = [];
  const database: Committed = {
    begin: () => void done.push("begin"),
    commit: () => void done.push("commit"),
    abandon: () => void done.push("abandon"),
    sync: () => {
      const sync = Promise.withResolvers<void>();
      syncs.push(sync);
      return sync.promise;
    },
  };
  const noted = (): ReturnType<typeof vi.fn<() => void>> => vi.fn<() => void>();
  const events = { onLost: noted(), onFatal: noted(), onCommitted: noted() };
  const loop = new CommitLoop(database, events);
  const started = (count: number): Promise<void> => vi.waitFor(() => expect(syncs).toHaveLength(count));
  return { loop, database, events, syncs, done, started };
}

it("writes of one turn share a commit, which is durable when its sync has returned", async () => {
  const { loop, syncs, started, done } = heldDisk();
  expect([loop.write(), loop.write()]).toEqual([1, 1]);
  const durable = loop.durable(1);
  await started(1);
  expect([loop.isDurable(1), done]).toEqual([false, ["begin", "commit"]]);
  syncs[0]?.resolve();
  await durable;
  expect(loop.isDurable(1)).toBe(true);
});

it("what is written during a sync is committed after it, all together", async () => {
  const { loop, syncs, started, done } = heldDisk();
  loop.write();
  await started(1);
  expect([loop.write(), loop.write()]).toEqual([2, 2]);
  const durable = loop.durable(2);
  expect(done).toEqual(["begin", "commit", "begin"]);
  syncs[0]?.resolve();
  await started(2);
  expect([loop.isDurable(1), loop.isDurable(2)]).toEqual([true, false]);
  syncs[1]?.resolve();
  await durable;
});

it("a transaction that is lost fails those who wait for it, and no others", async () => {
  const { loop, events, syncs, started } = heldDisk();
  loop.write();
  const first = loop.durable(1);
  await started(1);
  const second = loop.durable(loop.write());
  loop.lost(new Error("full"));
  await expect(second).rejects.toThrow("full");
  expect(events.onLost).toHaveBeenCalledTimes(1);
  syncs[0]?.resolve();
  await first;
  const third = loop.durable(loop.write());
  await started(2);
  syncs[1]?.resolve();
  await third;
});

it("a commit that fails is lost, and the next one is tried", async () => {
  const { loop, database, syncs, started, done } = heldDisk();
  vi.spyOn(database, "commit").mockImplementationOnce(() => {
    throw new Error("full");
  });
  await expect(loop.durable(loop.write())).rejects.toThrow("full");
  expect(done).toEqual(["begin", "abandon"]);
  const next = loop.durable(loop.write());
  await started(1);
  syncs[0]?.resolve();
  await next;
  expect([loop.hasFailed, loop.committed, loop.lostCount]).toEqual([false, 1, 1]);
});

it("a sync that fails is the end: nothing is promised any more", async () => {
  const { loop, events, syncs, started } = heldDisk();
  const first = loop.durable(loop.write());
  await started(1);
  const second = loop.durable(loop.write());
  syncs[0]?.reject(new Error("EIO"));
  await expect(first).rejects.toThrow("EIO");
  await expect(second).rejects.toThrow("EIO");
  expect(events.onFatal).toHaveBeenCalledTimes(1);
  expect(() => loop.write()).toThrow("EIO");
  expect([loop.hasFailed, loop.committed, loop.lostCount]).toEqual([true, 1, 0]);
});
