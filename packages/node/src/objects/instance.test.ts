import { SCHEMAS } from "@durable-streams-cloudflare/core/data-version";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { ObjectStorage } from "../storage/object-storage.ts";
import { Store } from "../storage/store.ts";
import { WriteLostError } from "../storage/write-lost-error.ts";
import { Instance } from "./instance.ts";

let store: Store;
let syncs: PromiseWithResolvers<void>[];

beforeEach(() => {
  store = new Store({ mode: "file-fast", fire: async () => undefined, onFatal: () => undefined });
  syncs = [];
  vi.spyOn(store.database, "sync").mockImplementation(() => {
    const sync = Promise.withResolvers<void>();
    syncs.push(sync);
    return sync.promise;
  });
});

afterEach(async () => {
  for (const { resolve } of syncs) resolve();
  vi.restoreAllMocks();
  await store.close();
});

function newInstance(name = "s"): Instance {
  const [schema] = SCHEMAS;
  if (schema === undefined) throw new Error("There are no objects.");
  return new Instance(new ObjectStorage(store, schema, name), () => ({ api: {}, alarm: async () => undefined }));
}

const synced = (count: number): Promise<void> => vi.waitFor(() => expect(syncs).toHaveLength(count));

it("is in use while a call is in it, or out of it, and until what it wrote is durable", async () => {
  const instance = newInstance();
  const call = Promise.withResolvers<void>();
  const entered = instance.enter(() => call.promise);
  expect(instance.isIdle).toBe(false);
  call.resolve();
  await entered;
  expect(instance.isIdle).toBe(true);
  const peer = Promise.withResolvers<void>();
  const left = instance.leave(() => peer.promise);
  expect(instance.isIdle).toBe(false);
  peer.resolve();
  await left;
  instance.storage.setAlarm(1);
  expect(instance.isIdle).toBe(false);
  await synced(1);
  syncs[0]?.resolve();
  await instance.storage.sync();
  expect(instance.isIdle).toBe(true);
});

it("what it emits leaves in order, also what is emitted in the moment in which it becomes durable", async () => {
  const instance = newInstance();
  const seen: string[] = [];
  const emit = (text: string): void =>
    instance.emit(
      () => seen.push(text),
      () => seen.push(`${text} lost`),
    );
  emit("clean");
  instance.storage.setAlarm(1);
  emit("first");
  emit("second");
  await synced(1);
  expect(seen).toEqual(["clean"]);
  const { written } = instance.storage;
  syncs[0]?.resolve();
  await written.settled();
  emit("third");
  await vi.waitFor(() => expect(seen).toHaveLength(4));
  expect(seen).toEqual(["clean", "first", "second", "third"]);
});

it("one whose writes are lost lets nothing out any more, and another one writes in its place", async () => {
  const instance = newInstance();
  const out: string[] = [];
  const emit = (): void =>
    instance.emit(
      () => out.push("emitted"),
      () => out.push("lost"),
    );
  const answer = instance
    .enter(() => {
      instance.storage.setAlarm(1);
      emit();
      store.commits.lost(new Error("full"));
    })
    .catch((error: unknown) => error);
  expect(await answer).toBeInstanceOf(WriteLostError);
  emit();
  await expect(instance.leave(async () => out.push("left"))).rejects.toThrow(WriteLostError);
  expect(() => instance.storage.setAlarm(2)).toThrow(WriteLostError);
  expect([out, instance.storage.isDurable]).toEqual([["lost", "lost"], false]);
  const next = newInstance();
  expect(next.storage.id).toBeUndefined();
  next.storage.setAlarm(3);
  await synced(1);
  syncs[0]?.resolve();
  await next.storage.sync();
  expect([next.storage.isDurable, instance.storage.isDurable]).toEqual([true, false]);
});

it("an object that is purged and made anew in one commit keeps only what is new", async () => {
  const instance = newInstance();
  instance.storage.setAlarm(1);
  instance.storage.purge();
  expect(instance.storage.id).toBeUndefined();
  instance.storage.setAlarm(2);
  await synced(1);
  syncs[0]?.resolve();
  await instance.storage.sync();
  const rows = store.database.text("SELECT at_ms FROM alarms").all();
  expect(rows.map((row) => row["at_ms"])).toEqual([2]);
});

it("a transaction that throws leaves the object as it was, inside of another one, too", async () => {
  const { storage } = newInstance();
  const fail = (): never => {
    throw new Error("no");
  };
  expect(() =>
    storage.transaction(() => {
      storage.setAlarm(1);
      fail();
    }),
  ).toThrow("no");
  expect(storage.id).toBeUndefined();
  storage.transaction(() => {
    storage.setAlarm(1);
    const { id } = storage;
    expect(() =>
      storage.transaction(() => {
        storage.purge();
        fail();
      }),
    ).toThrow("no");
    expect(storage.id).toBe(id);
  });
  expect(store.database.text("SELECT at_ms FROM alarms").all()).toHaveLength(1);
});
