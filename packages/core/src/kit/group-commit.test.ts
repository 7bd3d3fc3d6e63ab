import { describe, expect, it } from "vitest";

import { GroupCommit, type GroupCommitLimits } from "./group-commit.ts";

const AMPLE: GroupCommitLimits = { batchBytesMax: 1_000, pendingBytesMax: 10_000, pendingCountMax: 1_000 };

/** A disk whose syncs end when the test says so. */
function slowDisk(limits: GroupCommitLimits = AMPLE) {
  const batches: number[][] = [];
  const syncs: PromiseWithResolvers<void>[] = [];
  const commits = new GroupCommit<number, string>(
    {
      weigh: (item) => item,
      commit: (batch) => {
        batches.push([...batch]);
        return batch.map((item) => `stored ${item}`);
      },
      sync: () => {
        const sync = Promise.withResolvers<void>();
        syncs.push(sync);
        return sync.promise;
      },
    },
    limits,
  );
  const finishSync = async (): Promise<void> => {
    syncs.shift()?.resolve();
    await settled();
  };
  return { commits, batches, syncs, finishSync };
}

/** Lets everything run that waits for nothing else. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  await settled();
  return (await Promise.race([promise, Promise.resolve(pending)])) === pending;
}

describe("batching", () => {
  it("commits a lone item at once, and what comes meanwhile together in the next commit, in order", async () => {
    const { commits, batches, finishSync } = slowDisk();
    const results = [1, 2, 3, 4].map((item) => commits.submit(item));
    expect(batches).toEqual([[1]]);
    await finishSync();
    expect(batches).toEqual([[1], [2, 3, 4]]);
    await finishSync();
    expect(await Promise.all(results)).toEqual(["stored 1", "stored 2", "stored 3", "stored 4"]);
  });

  it("holds a batch that must wait for something, and what comes meanwhile behind it", async () => {
    const wait = Promise.withResolvers<void>();
    const batches: number[][] = [];
    const commits = new GroupCommit<number, string>(
      {
        weigh: (item) => item,
        prepare: ([first]) => (first === 2 ? wait.promise : undefined),
        commit: (batch) => {
          batches.push([...batch]);
          return batch.map(String);
        },
        sync: async () => undefined,
      },
      AMPLE,
    );
    await commits.submit(1);
    await settled();
    const later = [2, 3, 4].map((item) => commits.submit(item));
    await settled();
    expect(batches).toEqual([[1]]);
    wait.resolve();
    expect(await Promise.all(later)).toEqual(["2", "3", "4"]);
    expect(batches).toEqual([[1], [2], [3, 4]]);
  });

  it("[IN8] answers no item before its commit is durable", async () => {
    const { commits, finishSync } = slowDisk();
    const first = commits.submit(1);
    const second = commits.submit(2);
    expect(await isPending(first)).toBe(true);
    await finishSync();
    expect(await first).toBe("stored 1");
    expect(await isPending(second)).toBe(true);
    await finishSync();
    expect(await second).toBe("stored 2");
  });

  it("starts again after it was idle", async () => {
    const { commits, batches, finishSync } = slowDisk();
    const first = commits.submit(1);
    await finishSync();
    await first;
    const second = commits.submit(2);
    await finishSync();
    expect(await second).toBe("stored 2");
    expect(batches).toEqual([[1], [2]]);
  });
});

describe("limits", () => {
  it.each([
    { items: [1, 400, 600, 1], batches: [[1], [400, 600], [1]], about: "fills a batch to the byte" },
    { items: [1, 400, 601, 1], batches: [[1], [400], [601, 1]], about: "ends a batch before it is too heavy" },
    { items: [1, 5_000, 2, 3], batches: [[1], [5_000], [2, 3]], about: "lets an item that is too heavy go alone" },
  ])("$about", async ({ items, batches: expected }) => {
    const { commits, batches, finishSync } = slowDisk();
    const results = items.map((item) => commits.submit(item));
    for (const _ of expected) await finishSync();
    await Promise.all(results);
    expect(batches).toEqual(expected);
  });

  it("takes at most 512 items into one commit", async () => {
    const { commits, batches, finishSync } = slowDisk();
    const results = Array.from({ length: 514 }, () => commits.submit(0));
    for (let round = 0; round < 3; round += 1) await finishSync();
    await Promise.all(results);
    expect(batches.map((batch) => batch.length)).toEqual([1, 512, 1]);
  });

  it("[AP16] refuses what would take the queue above its limit, and accepts again when the queue has shrunk", async () => {
    const { commits, batches, finishSync } = slowDisk({
      batchBytesMax: 1_000,
      pendingBytesMax: 1_000,
      pendingCountMax: 100,
    });
    const first = commits.submit(600);
    const second = commits.submit(400);
    const refused = await commits.submit(1);
    expect(refused).toMatchObject({ ok: false, problem: { code: "overloaded", headers: { "Retry-After": "1" } } });
    await finishSync();
    await finishSync();
    expect(await Promise.all([first, second])).toEqual(["stored 600", "stored 400"]);
    const third = commits.submit(1_000);
    await finishSync();
    expect(await third).toBe("stored 1000");
    expect(batches.flat()).toEqual([600, 400, 1_000]);
  });

  it("[AP16] refuses the 1001st item even if none has any weight, and accepts again when the queue has shrunk", async () => {
    const { commits, finishSync } = slowDisk();
    const results = Array.from({ length: 1_000 }, () => commits.submit(0));
    expect(await commits.submit(0)).toMatchObject({ ok: false, problem: { code: "overloaded" } });
    await finishSync();
    const next = commits.submit(0);
    for (let batch = 0; batch < 3; batch += 1) await finishSync();
    expect(new Set(await Promise.all([...results, next]))).toEqual(new Set(["stored 0"]));
  });

  it("takes an item that alone is above the queue's limit when nothing else waits", async () => {
    const { commits, finishSync } = slowDisk({ batchBytesMax: 10, pendingBytesMax: 10, pendingCountMax: 100 });
    const heavy = commits.submit(50);
    await finishSync();
    expect(await heavy).toBe("stored 50");
  });
});

describe("failures", () => {
  it("a commit that throws fails its own items only", async () => {
    const { commits, outcomes } = failing({ commit: (batch) => batch.includes(2) });
    const results = [1, 2, 3].map((item) => commits.submit(item));
    expect(await outcomes(results)).toEqual(["stored", "commit failed", "commit failed"]);
    expect(await outcomes([commits.submit(4)])).toEqual(["stored"]);
  });

  it("a sync that fails fails its own items only", async () => {
    let syncs = 0;
    const { commits, outcomes } = failing({ sync: () => (syncs += 1) === 1 });
    const results = [1, 2].map((item) => commits.submit(item));
    expect(await outcomes(results)).toEqual(["sync failed", "stored"]);
  });

  it("failed items no longer count against the queue's limit", async () => {
    const { commits, outcomes } = failing({ commit: (batch) => batch[0] === 900 });
    expect(await outcomes([commits.submit(900)])).toEqual(["commit failed"]);
    expect(await outcomes([commits.submit(600), commits.submit(400)])).toEqual(["stored", "stored"]);
  });

  it("a commit with too few results fails the items that have none", async () => {
    const ports = { weigh: () => 1, commit: () => [] as string[], sync: () => Promise.resolve() };
    const commits = new GroupCommit<number, string>(ports, AMPLE);
    await expect(commits.submit(1)).rejects.toThrow("fewer results");
  });
});

function failing(fails: { commit?: (batch: readonly number[]) => boolean; sync?: () => boolean }) {
  const commits = new GroupCommit<number, string>(
    {
      weigh: (item) => item,
      commit: (batch) => {
        if (fails.commit?.(batch) === true) throw new Error("commit failed");
        return batch.map(() => "stored");
      },
      sync: async () => {
        if (fails.sync?.() === true) throw new Error("sync failed");
      },
    },
    { batchBytesMax: 1_000, pendingBytesMax: 1_000, pendingCountMax: 100 },
  );
  const outcomes = async (results: readonly Promise<unknown>[]): Promise<unknown[]> => {
    const settledResults = await Promise.allSettled(results);
    return settledResults.map((result) =>
      result.status === "fulfilled" ? result.value : (result.reason as Error).message,
    );
  };
  return { commits, outcomes };
}
