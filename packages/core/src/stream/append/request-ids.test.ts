import { describe, expect, it } from "vitest";

import { RequestIds } from "./request-ids.ts";

const LIMITS = { rememberedMs: 1_000, countMin: 8, countMax: 10_000 };
const LANDING = { lineage: { incarnation: 7, ancestors: [] }, end: 1 };

function filled(count: number, fromMs: number, stepMs: number, ids = new RequestIds(LIMITS)): RequestIds {
  for (let index = 0; index < count; index += 1) ids.remember(`${fromMs}-${index}`, LANDING, fromMs + index * stepMs);
  return ids;
}

describe("request ids", () => {
  it("[AP15] are known for as long as copies may arrive, however many others come meanwhile", () => {
    const ids = new RequestIds(LIMITS);
    ids.remember("first", LANDING, 0);
    filled(9_000, 1, 0.1, ids);
    expect(ids.isFull(999)).toBe(false);
    expect(ids.find("first")).toMatchObject(LANDING);
  });

  it("are forgotten after that, so that memory is bounded", () => {
    const ids = new RequestIds(LIMITS);
    for (let ms = 0; ms < 100_000; ms += 1) ids.remember(String(ms), LANDING, ms);
    expect(ids.find("98000")).toBeUndefined();
    expect(ids.find("99001")).toMatchObject(LANDING);
    expect(ids.recent(100_000).map(([id]) => id)).toEqual(
      Array.from({ length: 999 }, (_, index) => String(99_001 + index)),
    );
  });

  it("are refused when there are too many, and none is forgotten for it", () => {
    const ids = filled(10_000, 0, 0);
    expect(ids.isFull(500)).toBe(true);
    expect(ids.find("0-0")).toMatchObject(LANDING);
    expect(ids.isFull(1_000)).toBe(true);
    filled(8, 1_000, 0, ids);
    expect(ids.isFull(1_000)).toBe(false);
  });

  it("are known after the clock was put forward, the newest of them", () => {
    const ids = filled(100, 0, 1);
    filled(3, 3_600_000, 0, ids);
    for (let index = 95; index < 100; index += 1) expect(ids.find(`0-${index}`)).toMatchObject(LANDING);
  });

  it("do not fill the memory when the clock was put back", () => {
    const ids = filled(9_000, 3_600_000, 0.1);
    expect(ids.isFull(3_600_900)).toBe(false);
    filled(9_000, 0, 1, ids);
    expect(ids.isFull(9_000)).toBe(false);
    expect(ids.find("3600000-0")).toBeUndefined();
    expect(ids.find("0-8999")).toMatchObject(LANDING);
  });
});
