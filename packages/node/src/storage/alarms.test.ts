import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { DueObject } from "./alarms.ts";
import { Store } from "./store.ts";

let store: Store;
let fire: (due: DueObject) => Promise<void>;

beforeEach(() => {
  store = new Store({
    mode: "file-fast",
    fire: (due) => fire(due),
    onFatal: (error) => {
      throw error;
    },
  });
  vi.useFakeTimers({ now: 1_000_000, toFake: ["setTimeout", "clearTimeout", "Date"] });
});

afterEach(async () => {
  vi.useRealTimers();
  await store.close();
});

const NOBODY = { lose: () => undefined };

function setAlarm(id: number, atMs: number): void {
  store.run(
    NOBODY,
    "INSERT OR IGNORE INTO objects (o, kind, name, tables) VALUES (?, 'stream', ?, '[]')",
    id,
    `s${id}`,
  );
  store.run(NOBODY, "INSERT OR REPLACE INTO alarms (o, at_ms) VALUES (?, ?)", id, atMs);
  store.alarms.expect(id, atMs);
}

function rows(): unknown {
  return store.database
    .text("SELECT o, at_ms FROM alarms ORDER BY o")
    .all()
    .map((row) => [row["o"], row["at_ms"]]);
}

it("an alarm that was due while the server was down fires when it starts, and once", async () => {
  const fired: string[] = [];
  fire = async ({ name }) => void fired.push(name);
  setAlarm(1, 5);
  await vi.advanceTimersByTimeAsync(10);
  expect(fired).toEqual([]);
  store.alarms.start();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([fired, rows()]).toEqual([["s1"], []]);
});

it("an alarm that is set again while it fires is not forgotten", async () => {
  const fired: number[] = [];
  fire = async () => {
    fired.push(Date.now());
    if (fired.length === 1) setAlarm(1, Date.now() + 500);
  };
  store.alarms.start();
  setAlarm(1, 1_000_100);
  await vi.advanceTimersByTimeAsync(10_000);
  expect([fired, rows()]).toEqual([[1_000_100, 1_000_600], []]);
});

it("one that fails is kept, and fired again later and later", async () => {
  const fired: number[] = [];
  fire = async () => {
    fired.push(Math.floor((Date.now() - 1_000_000) / 1_000));
    if (fired.length < 4) throw new Error("failed");
  };
  store.alarms.start();
  setAlarm(1, 1_000_000);
  await vi.advanceTimersByTimeAsync(500);
  expect(rows()).toEqual([[1, 1_000_000]]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([fired, rows()]).toEqual([[0, 1, 3, 7], []]);
});

it("thousands that are due at once fire a hundred at a time, and those that fail hold up no others", async () => {
  const done = new Set<string>();
  let firing = 0;
  let firingMax = 0;
  fire = async ({ id, name }) => {
    firing += 1;
    firingMax = Math.max(firingMax, firing);
    await new Promise((resolve) => void setTimeout(resolve, 1));
    firing -= 1;
    if (id <= 300 && !done.has(`${name} failed`)) {
      done.add(`${name} failed`);
      throw new Error("failed");
    }
    done.add(name);
  };
  for (let id = 1; id <= 2_000; id += 1) setAlarm(id, 1_000);
  store.alarms.start();
  await vi.advanceTimersByTimeAsync(500);
  expect([done.size, firingMax]).toEqual([2_000, 100]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect([done.size, rows()]).toEqual([2_300, []]);
});

it("a clock that jumps forward makes an alarm late by half a minute at most; one that jumps back fires none early", async () => {
  const fired: number[] = [];
  fire = async () => void fired.push(Date.now());
  store.alarms.start();
  setAlarm(1, 1_000_000 + 3_600_000);
  await vi.advanceTimersByTimeAsync(1_000);
  vi.setSystemTime(1_000_000 + 7_200_000);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(fired).toHaveLength(1);
  setAlarm(2, Date.now() + 10_000);
  vi.setSystemTime(Date.now() - 100_000);
  await vi.advanceTimersByTimeAsync(109_000);
  expect(fired).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(fired).toHaveLength(2);
});

it("one whose deletion was lost fires again", async () => {
  const fired: string[] = [];
  fire = async ({ name }) => void fired.push(name);
  setAlarm(1, 1_000_000);
  await store.commits.drain();
  vi.spyOn(store.database, "commit").mockImplementationOnce(() => {
    throw Object.assign(new Error("database or disk is full"), { errcode: 13 });
  });
  store.alarms.start();
  await vi.advanceTimersByTimeAsync(1);
  await store.commits.drain();
  await vi.advanceTimersByTimeAsync(1_000);
  await store.commits.drain();
  expect([fired, rows()]).toEqual([["s1", "s1"], []]);
});

it("alarms that cannot be read are looked for again, and end nothing", async () => {
  const fired: string[] = [];
  fire = async ({ name }) => void fired.push(name);
  store.alarms.start();
  store.database.sqlite.exec("ALTER TABLE alarms RENAME COLUMN at_ms TO damaged");
  await vi.advanceTimersByTimeAsync(9_000);
  store.database.sqlite.exec("ALTER TABLE alarms RENAME COLUMN damaged TO at_ms");
  setAlarm(1, Date.now());
  await vi.advanceTimersByTimeAsync(30_000);
  expect([fired, rows()]).toEqual([["s1"], []]);
});

it("an alarm whose object cannot be read keeps no other from firing", async () => {
  const fired: string[] = [];
  fire = async ({ name }) => {
    if (name === "s1") throw new Error("database disk image is malformed");
    fired.push(name);
  };
  for (const id of [1, 2, 3]) setAlarm(id, Date.now());
  store.alarms.start();
  await vi.advanceTimersByTimeAsync(1);
  expect(fired).toEqual(["s2", "s3"]);
});

it("an alarm that always fails is tried less and less often, up to once a minute", async () => {
  let count = 0;
  fire = async () => {
    count += 1;
    throw new Error("It fails.");
  };
  setAlarm(1, Date.now());
  store.alarms.start();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(count).toBeLessThan(8);
  const before = count;
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(count - before).toBeGreaterThan(55);
  expect(count - before).toBeLessThan(65);
});

it.each([3_600_000, 366 * 86_400_000, -3_600_000, -366 * 86_400_000])(
  "a clock that jumps by %i ms neither spins nor stops the alarms",
  async (jumpMs) => {
    const fired: string[] = [];
    fire = async ({ name }) => void fired.push(name);
    const look = vi.spyOn(store.database, "text");
    store.alarms.start();
    setAlarm(1, Date.now() + 10_000);
    await vi.advanceTimersByTimeAsync(1_000);
    vi.setSystemTime(Date.now() + jumpMs);
    setAlarm(2, Date.now() + 1_000);
    await vi.advanceTimersByTimeAsync(60_000);
    // What was set before a jump backwards is due by the clock that it was set by.
    expect(fired.toSorted()).toEqual(jumpMs > 0 ? ["s1", "s2"] : ["s2"]);
    expect(look.mock.calls.length).toBeLessThan(60);
    vi.setSystemTime(Date.now() - jumpMs);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(fired.toSorted()).toEqual(["s1", "s2"]);
  },
);
