import { beforeEach, describe, expect, it } from "vitest";

import type { StorageState } from "../storage-state.ts";
import { DiskStatus, durably, type Launcher } from "./launcher.ts";

const FULL: StorageState = { fault: { isFull: true, detail: "full" }, roomBytes: 0 };

it("[IN8] a put resolves when the launcher has made it durable, and fails when that fails", async () => {
  const steps: string[] = [];
  let status = 204;
  const LAUNCHER: Launcher = {
    fetch: async (url, init) => {
      steps.push(`${init?.method} ${new URL(url).pathname}`);
      return new Response(null, { status });
    },
  };
  class Bucket {
    readonly #name = "bucket";
    readonly #keys = new Set(["left"]);
    async put(key: string): Promise<void> {
      steps.push(`put ${key} into ${this.#name}`);
    }
    async head(key: string): Promise<string | null> {
      return this.#keys.has(key) ? key : null;
    }
    async delete(key: string): Promise<void> {
      steps.push(`delete ${key}`);
    }
  }
  const env = durably({ LAUNCHER, SEGMENTS: new Bucket(), REGISTRY: new Bucket(), OTHER: "x" });
  await env.SEGMENTS.put("a");
  await env.REGISTRY.put("left");
  expect(steps).toEqual(["put a into bucket", "POST /sync-blobs", "put left into bucket", "POST /sync-blobs"]);
  expect([await env.SEGMENTS.head("left"), env.OTHER]).toEqual(["left", "x"]);
  // A power cut may have left an incomplete segment.
  steps.length = 0;
  await env.SEGMENTS.put("left");
  expect(steps).toEqual(["delete left", "put left into bucket", "POST /sync-blobs"]);
  status = 500;
  await expect(env.SEGMENTS.put("b")).rejects.toThrow("500");
});

it("an environment without R2 and KV is unchanged", () => {
  const env = { LAUNCHER: { fetch: async () => new Response() }, STREAMS: 1 };
  expect(durably(env)).toEqual(env);
});

describe("the disk", () => {
  let nowMs: number;
  let asked: number;
  let answer: () => Response;
  let disk: DiskStatus;

  beforeEach(() => {
    nowMs = 10_000;
    asked = 0;
    const fetch = async (): Promise<Response> => {
      asked += 1;
      return answer();
    };
    disk = new DiskStatus(
      () => ({ fetch }),
      () => nowMs,
    );
  });

  const is = (state: StorageState): void => void (answer = () => Response.json(state));

  it("is checked once per second, and a launcher that does not answer does not count as a fault", async () => {
    is(FULL);
    expect(await disk.fault()).toEqual(FULL.fault);
    is({ fault: null, roomBytes: 1_000 });
    expect([await disk.fault(100), asked]).toEqual([FULL.fault, 1]);
    nowMs += 1_000;
    expect([await disk.fault(), asked]).toEqual([undefined, 2]);
    nowMs += 1_000;
    answer = () => {
      throw new Error("it is ending");
    };
    expect(await disk.fault(1_000_000)).toBeUndefined();
  });

  it("is checked again after a failure", async () => {
    is({ fault: null, roomBytes: 1_000 });
    await disk.fault();
    is(FULL);
    expect([await disk.fault(), await disk.faultNow(), await disk.fault()]).toEqual([
      undefined,
      FULL.fault,
      FULL.fault,
    ]);
  });

  it("accepts no more per second than it has space for, including bytes not written yet", async () => {
    is({ fault: null, roomBytes: 1_000 });
    const taken: boolean[] = [];
    for (let n = 0; n < 4; n += 1) taken.push((await disk.fault(200)) === undefined);
    expect(taken).toEqual([true, true, false, false]);
    expect(await disk.fault(50)).toBeUndefined();
    // A delete needs no space.
    expect(await disk.fault()).toBeUndefined();
    nowMs += 2_000;
    expect(await disk.fault(200)).toBeUndefined();
  });

  it("refuses what does not fit, and checks again each time, because data may have been deleted", async () => {
    is({ fault: null, roomBytes: 100 });
    expect(await disk.fault(200)).toMatchObject({ isFull: true });
    is({ fault: null, roomBytes: 1_000 });
    expect(await disk.fault(200)).toBeUndefined();
  });
});
