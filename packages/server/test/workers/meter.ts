/** Counts what the platform bills, of all objects and bindings of the isolate that the tests share with the Worker. */
import type { Usage } from "@durable-streams-cloudflare/testkit";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, vi } from "vitest";

import * as worker from "../../src/worker.ts";

type Counters = { -readonly [Name in keyof Usage]: Usage[Name] };
type Method = (this: object, ...parameters: unknown[]) => unknown;

/** An object whose alarm is further away is at rest. */
const QUIET_MS = 60_000;

export const NOTHING: Usage = {
  objectRequests: 0,
  wakeUps: 0,
  rowsRead: 0,
  rowsWritten: 0,
  r2Writes: 0,
  r2Reads: 0,
  kvReads: 0,
  kvWrites: 0,
};

export class Meter {
  #counters: Counters = { ...NOTHING };
  #cursors: { readonly rowsRead: number; readonly rowsWritten: number }[] = [];
  #isCounting = false;

  /** Looks at everything from now on; there is one in a file of tests. */
  static async install(): Promise<Meter> {
    const meter = new Meter();
    const stub = env.STREAMS.getByName(`meter/${crypto.randomUUID()}`);
    // What a stub returns from an object is a copy; only in there are the prototypes the real ones.
    await runInDurableObject(stub, (_, { storage }) => meter.#watchStorage(storage));
    meter.#watchObjects();
    meter.#count(env.SEGMENTS, ["put", "list", "createMultipartUpload"], "r2Writes");
    meter.#count(env.SEGMENTS, ["get", "head"], "r2Reads");
    meter.#count(env.REGISTRY, ["get", "getWithMetadata"], "kvReads");
    meter.#count(env.REGISTRY, ["put", "delete", "list"], "kvWrites");
    return meter;
  }

  /** What some work is billed for. Alarms that are due count only if the work fires them. */
  async of(work: () => Promise<unknown>): Promise<Usage> {
    [this.#counters, this.#cursors, this.#isCounting] = [{ ...NOTHING }, [], true];
    try {
      await work();
    } finally {
      this.#isCounting = false;
    }
    // A cursor has counted all of its rows when it has been read.
    for (const { rowsRead, rowsWritten } of this.#cursors) {
      this.#counters.rowsRead += rowsRead;
      this.#counters.rowsWritten += rowsWritten;
    }
    return this.#counters;
  }

  /** A look at an object that is not counted. Synchronous, so that nothing else is missed. */
  silently<Found>(look: () => Found): Found {
    const was = this.#isCounting;
    this.#isCounting = false;
    try {
      return look();
    } finally {
      this.#isCounting = was;
    }
  }

  #add(name: keyof Usage): void {
    if (this.#isCounting) this.#counters[name] += 1;
  }

  #count(binding: object, methods: readonly string[], name: keyof Usage): void {
    for (const method of methods) wrapMethod(prototypeOf(binding), method, () => this.#add(name));
  }

  #watchStorage(storage: DurableObjectStorage): void {
    wrapMethod(prototypeOf(storage.sql), "exec", undefined, (cursor) => {
      if (this.#isCounting) this.#cursors.push(cursor as SqlStorageCursor<Record<string, SqlStorageValue>>);
    });
    // The platform bills it as a row.
    wrapMethod(prototypeOf(storage), "setAlarm", () => this.#add("rowsWritten"));
  }

  /** Objects are thin shells, so each of their methods is a call from outside. */
  #watchObjects(): void {
    for (const { prototype } of [
      worker.StreamDO,
      worker.ProjectDO,
      worker.SubscriptionDO,
      worker.EstuaryDO,
      worker.ConsumerDO,
    ]) {
      const methods = Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor");
      for (const method of methods) {
        wrapMethod(prototype, method, () => {
          this.#add("wakeUps");
          if (!method.startsWith("webSocket")) this.#add("objectRequests");
        });
      }
    }
  }
}

/** Fires an object's alarm until it has nothing more to do for a while. */
export async function fireAlarmsUntilQuiet(stub: DurableObjectStub): Promise<void> {
  const isAtRest = async (): Promise<void> => {
    await runDurableObjectAlarm(stub);
    expect((await alarmOf(stub)) ?? Infinity).toBeGreaterThan(Date.now() + QUIET_MS);
  };
  await vi.waitFor(isAtRest, { timeout: 10_000 });
}

/** Fires an object's alarm once it is due, and again as long as it is. */
export async function fireAlarmWhenDue(stub: DurableObjectStub): Promise<void> {
  const isDue = async (): Promise<boolean> => ((await alarmOf(stub)) ?? Infinity) <= Date.now();
  await vi.waitFor(async () => expect(await isDue()).toBe(true), { timeout: 10_000 });
  while (await isDue()) await runDurableObjectAlarm(stub);
}

function alarmOf(stub: DurableObjectStub): Promise<number | null> {
  return runInDurableObject(stub, (_, { storage }) => storage.getAlarm());
}

function prototypeOf(object: object): Record<string, Method> {
  return Object.getPrototypeOf(object) as Record<string, Method>;
}

function wrapMethod(
  prototype: object,
  name: string,
  before: (() => void) | undefined,
  after?: (result: unknown) => void,
): void {
  const methods = prototype as Record<string, Method>;
  const method = methods[name];
  if (method === undefined) throw new Error(`There is no ${name}.`);
  methods[name] = function (...parameters: unknown[]): unknown {
    before?.();
    const result = method.apply(this, parameters);
    after?.(result);
    return result;
  };
}
