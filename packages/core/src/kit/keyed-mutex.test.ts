import type { Result } from "@durable-streams-cloudflare/protocol";
import { expect, it } from "vitest";

import { KeyedMutex } from "./keyed-mutex.ts";

/** Work that writes down when it begins, and ends when the test says so. */
function held() {
  const begun: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<string>>();
  const work = (name: string) => (): Promise<string> => {
    begun.push(name);
    const end = Promise.withResolvers<string>();
    ends.set(name, end);
    return end.promise;
  };
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { begun, ends, work, settled };
}

it("what concerns one name runs one after the other, in the order in which it came", async () => {
  const { begun, ends, work, settled } = held();
  const mutex = new KeyedMutex();
  const answers = ["first", "second", "third"].map((name) => mutex.runAlways("a", work(name)));
  await settled();
  expect(begun).toEqual(["first"]);
  ends.get("first")?.resolve("1");
  await settled();
  expect(begun).toEqual(["first", "second"]);
  ends.get("second")?.resolve("2");
  await settled();
  ends.get("third")?.resolve("3");
  expect(await Promise.all(answers)).toEqual(["1", "2", "3"]);
});

it("what concerns different names runs at the same time", async () => {
  const { begun, work, settled } = held();
  const mutex = new KeyedMutex();
  for (const name of ["a", "b"]) void mutex.runAlways(name, work(name));
  await settled();
  expect(begun).toEqual(["a", "b"]);
});

it("a failure reaches its own caller only, and holds up nobody", async () => {
  const { begun, ends, work, settled } = held();
  const mutex = new KeyedMutex();
  const failed = mutex.runAlways("a", work("first")).catch(String);
  const second = mutex.runAlways("a", work("second"));
  await settled();
  ends.get("first")?.reject(new Error("It failed."));
  expect(await failed).toBe("Error: It failed.");
  await settled();
  expect(begun).toEqual(["first", "second"]);
  ends.get("second")?.resolve("2");
  expect(await second).toBe("2");
});

it("work that throws at once rejects, and holds up nobody", async () => {
  const mutex = new KeyedMutex();
  const thrown = mutex.runAlways("a", () => {
    throw new Error("It failed at once.");
  });
  await expect(thrown).rejects.toThrow("It failed at once.");
  expect(await mutex.runAlways("a", async () => "second")).toBe("second");
});

it("a name that nobody is at takes no memory", async () => {
  const mutex = new KeyedMutex();
  const answers = ["a", "b", "a"].map((name) => mutex.runAlways(name, async () => name));
  expect(mutex.size).toBe(2);
  await Promise.all(answers);
  expect(mutex.size).toBe(0);
});

it("refuses what would wait when too many wait already, which then never runs, and takes tasks again when they have run", async () => {
  const { begun, ends, work, settled } = held();
  const mutex = new KeyedMutex(2);
  const run = (key: string, name: string) =>
    mutex.run(key, async () => ({ ok: true, value: await work(name)() }) as const);
  const first = ["first", "second"].map((name) => run("a", name));
  const other = [run("b", "b1"), run("b", "b2")];
  await settled();
  for (const key of ["a", "b"]) {
    expect(await run(key, "refused")).toMatchObject({
      ok: false,
      problem: { code: "overloaded", headers: { "Retry-After": "1" } },
    });
  }
  // What need not wait is not refused, and neither is what its caller limits.
  const free = run("c", "c1");
  const always = mutex.runAlways("b", work("b3"));
  ends.get("first")?.resolve("1");
  await settled();
  // One fewer waits on "a", one more on "b".
  expect(await run("a", "refused")).toMatchObject({ ok: false });
  ends.get("b1")?.resolve("1");
  await settled();
  const third = run("a", "third");
  for (const name of ["second", "b2", "c1"]) ends.get(name)?.resolve(name);
  await settled();
  for (const name of ["third", "b3"]) ends.get(name)?.resolve(name);
  expect(await Promise.all([...first, ...other, free, third])).toEqual(
    ["1", "second", "1", "b2", "c1", "third"].map((value) => ({ ok: true, value })),
  );
  expect(await always).toBe("b3");
  expect(begun).not.toContain("refused");
  expect(mutex.size).toBe(0);
});

it("a task that fails while others wait leaves its place to them", async () => {
  const mutex = new KeyedMutex(1);
  const fail = (): Promise<Result<object>> => Promise.reject(new Error("It failed."));
  for (let count = 0; count < 3; count += 1) {
    const tasks = [mutex.run("a", fail), mutex.run("a", fail)];
    for (const task of tasks) await expect(task).rejects.toThrow("It failed.");
  }
  expect(await mutex.run("a", async () => ({ ok: true }))).toEqual({ ok: true });
});
