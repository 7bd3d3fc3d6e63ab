import { beforeEach, expect, it } from "vitest";

import { OpenObjects, withLimit } from "./open-objects.ts";

let nowMs: number;
beforeEach(() => {
  nowMs = 1_000;
});
const limitedTo = (max: number): OpenObjects => new OpenObjects(max, () => nowMs);

it("no more objects than the limit can be in use, and those in use stay usable", () => {
  const objects = limitedTo(2);
  expect(["a", "b", "c", "a", "b"].map((name) => objects.use(name))).toEqual([true, true, false, true, true]);
});

it("an object that has not been used for a while makes way for another, and recently used ones stay", () => {
  const objects = limitedTo(2);
  objects.use("a");
  objects.use("b");
  nowMs += 6_000;
  objects.use("a");
  nowMs += 6_000;
  expect([objects.use("c"), objects.use("d"), objects.use("a")]).toEqual([true, false, true]);
});

it("remembers no more names than the limit", () => {
  const objects = limitedTo(100);
  let taken = 0;
  for (let n = 0; n < 10_000; n += 1) taken += Number(objects.use(`s${n}`));
  expect(taken).toBe(100);
});

class DurableObjectNamespace {
  getByName(name: string): { read(): Promise<string> } {
    return { read: async () => name };
  }
}

it("a call of an object beyond the limit fails with the mark of a call that was not sent", async () => {
  const { STREAMS, OTHER } = withLimit({ STREAMS: new DurableObjectNamespace(), OTHER: "x" }, limitedTo(1));
  expect([await STREAMS.getByName("a").read(), OTHER]).toEqual(["a", "x"]);
  const stub = STREAMS.getByName("b");
  await expect(stub.read()).rejects.toMatchObject({ unsent: true });
  expect(await STREAMS.getByName("a").read()).toBe("a");
});
