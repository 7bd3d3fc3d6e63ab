import { expect, it, vi } from "vitest";

import { CommitLoop, type Committed } from "./commit-loop.ts";

/** A disk whose syncs return when the test says so. */
function heldDisk() {
  const syncs: PromiseWithResolvers<void>[] = [];
  const done: string[] = [];
  const disk = { isInTransaction: false };
  const database: Committed = {
    begin: () => {
      disk.isInTransaction = true;
      done.push("begin");
    },
    commit: () => {
      disk.isInTransaction = false;
      done.push("commit");
    },
    abandon: () => {
      disk.isInTransaction = false;
      done.push("abandon");
    },
    get isInTransaction() {
      return disk.isInTransaction;
    },
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
  return { loop, database, disk, events, syncs, done, started };
}

it("writes of one turn share a commit, which is durable when its sync has returned", async () => {
  const { loop, syncs, started, done } = heldDisk();
  const commit = loop.write();
  expect(loop.write()).toBe(commit);
  await started(1);
  expect([commit.isDurable, done]).toEqual([false, ["begin", "commit"]]);
  syncs[0]?.resolve();
  await commit.durable();
  expect(commit.isDurable).toBe(true);
});

it("what is written during a sync is committed after it, all together", async () => {
  const { loop, syncs, started, done } = heldDisk();
  const first = loop.write();
  await started(1);
  const second = loop.write();
  expect([loop.write(), second === first]).toEqual([second, false]);
  expect(done).toEqual(["begin", "commit", "begin"]);
  syncs[0]?.resolve();
  await started(2);
  expect([first.isDurable, second.isDurable]).toEqual([true, false]);
  syncs[1]?.resolve();
  await second.durable();
});

it("a transaction that is lost fails those who wait for it, and no others", async () => {
  const { loop, events, syncs, started } = heldDisk();
  const first = loop.write();
  await started(1);
  const second = loop.write();
  const waiting = second.durable().catch(String);
  loop.lost(new Error("full"));
  expect(await waiting).toBe("Error: full");
  expect(events.onLost).toHaveBeenCalledTimes(1);
  const third = loop.write();
  syncs[0]?.resolve();
  await first.durable();
  await started(2);
  syncs[1]?.resolve();
  await third.durable();
});

it("what was lost never becomes durable, whatever is committed before and after it", async () => {
  const { loop, syncs, started } = heldDisk();
  loop.write();
  await started(1);
  const lost = loop.write();
  loop.lost(new Error("full"));
  const after = loop.write();
  syncs[0]?.resolve();
  await started(2);
  syncs[1]?.resolve();
  await after.durable();
  expect(lost.isDurable).toBe(false);
  await expect(lost.durable()).rejects.toThrow("full");
});

it("a commit that fails is lost, and the next one is tried", async () => {
  const { loop, database, syncs, started, done } = heldDisk();
  vi.spyOn(database, "commit").mockImplementationOnce(() => {
    throw new Error("full");
  });
  await expect(loop.write().durable()).rejects.toThrow("full");
  expect(done).toEqual(["begin", "abandon"]);
  const next = loop.write();
  await started(1);
  syncs[0]?.resolve();
  await next.durable();
  expect([loop.hasFailed, loop.committed, loop.lostCount]).toEqual([false, 1, 1]);
});

it("a write never goes on outside a transaction that SQLite has ended unnoticed", async () => {
  const { loop, disk, events, done } = heldDisk();
  const lost = loop.write();
  disk.isInTransaction = false;
  const next = loop.write();
  expect(done).toEqual(["begin", "abandon", "begin"]);
  expect([next === lost, events.onLost.mock.calls.length]).toEqual([false, 1]);
  await expect(lost.durable()).rejects.toThrow("The transaction has ended.");
});

it("[SM8] a sync that fails is the end: nothing is promised any more, and nobody waits for ever", async () => {
  const { loop, events, syncs, started, done } = heldDisk();
  const first = loop.write();
  await started(1);
  const second = loop.write();
  const refused = [first, second].map((commit) => commit.durable().catch(String));
  syncs[0]?.reject(new Error("EIO"));
  expect(await Promise.all(refused)).toEqual(["Error: EIO", "Error: EIO"]);
  await loop.drain();
  expect(events.onFatal).toHaveBeenCalledTimes(1);
  expect(() => loop.write()).toThrow("EIO");
  expect(done.filter((step) => step === "commit")).toHaveLength(1);
  expect([loop.hasFailed, loop.committed, loop.lostCount]).toEqual([true, 1, 0]);
});

it.each([1_034, 1_290])("[SM8] a COMMIT whose sync failed (%i) is the end, too", async (errcode) => {
  const { loop, database, events } = heldDisk();
  vi.spyOn(database, "commit").mockImplementationOnce(() => {
    throw Object.assign(new Error("disk I/O error"), { errcode });
  });
  await expect(loop.write().durable()).rejects.toThrow("disk I/O error");
  expect(events.onFatal).toHaveBeenCalledTimes(1);
  expect(() => loop.write()).toThrow("disk I/O error");
});

it("waiting for everything written ends when it is durable, or lost", async () => {
  const { loop, syncs, started } = heldDisk();
  const commit = loop.write();
  await started(1);
  loop.write();
  loop.lost(new Error("full"));
  const drained = loop.drain();
  syncs[0]?.resolve();
  await drained;
  expect(commit.isDurable).toBe(true);
});
