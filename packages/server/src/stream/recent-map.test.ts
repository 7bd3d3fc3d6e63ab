import { describe, expect, it } from "vitest";

import { RecentMap } from "./recent-map.ts";

describe("a map that forgets its oldest entries", () => {
  const filled = (sizeMax: number, count: number): RecentMap<number> => {
    const map = new RecentMap<number>(sizeMax);
    for (let index = 0; index < count; index += 1) map.set(`key-${index}`, index);
    return map;
  };

  it("always has the newest half of its size, and never more than its size", () => {
    for (let count = 1; count <= 40; count += 1) {
      const map = filled(8, count);
      const kept = map.newest(Infinity).map(([, value]) => value);
      expect(kept.length).toBeLessThanOrEqual(8);
      expect(kept.length).toBeGreaterThanOrEqual(Math.min(count, 4));
      expect(kept).toEqual(Array.from(kept, (_, index) => count - kept.length + index));
      for (let value = 0; value < count; value += 1) {
        expect(map.get(`key-${value}`)).toBe(kept.includes(value) ? value : undefined);
      }
    }
  });

  it("has the newest value of a key, also when an older one is still held", () => {
    const map = filled(8, 4);
    map.set("key-1", 100);
    expect(map.get("key-1")).toBe(100);
    expect(map.newest(Infinity).map(([key]) => key)).toEqual(["key-0", "key-2", "key-3", "key-1"]);
  });

  it("gives the newest entries, oldest first", () => {
    expect(filled(8, 6).newest(3)).toEqual([
      ["key-3", 3],
      ["key-4", 4],
      ["key-5", 5],
    ]);
  });
});
