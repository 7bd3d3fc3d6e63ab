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
      const found = Array.from({ length: count }, (_, index) => map.get(`key-${index}`));
      const kept = found.filter((value) => value !== undefined);
      expect(kept.length).toBeLessThanOrEqual(8);
      expect(kept.length).toBeGreaterThanOrEqual(Math.min(count, 4));
      expect(kept).toEqual(Array.from(kept, (_, index) => count - kept.length + index));
    }
  });

  it("has the newest value of a key, also when an older one is still held", () => {
    const map = filled(8, 4);
    map.set("key-1", 100);
    expect(map.get("key-1")).toBe(100);
  });
});
