import { describe, expect, it } from "vitest";

import { DeliveryBudget } from "./delivery-budget.ts";

const MINUTES = 30;

/** Permits that subscriptions get that ask as often as they can, for a time. */
function granted(budget: DeliveryBudget, hosts: readonly string[], ms: number, stepMs = 50): Map<string, number> {
  const total = new Map<string, number>();
  for (let nowMs = 0; nowMs < ms; nowMs += stepMs) {
    for (const host of hosts) total.set(host, (total.get(host) ?? 0) + budget.grant(host, 8, nowMs).granted);
  }
  return total;
}

const sum = (counts: Map<string, number>): number => [...counts.values()].reduce((total, count) => total + count, 0);

describe("permits", () => {
  it("to one host are never more than its limit a minute, but for a burst after a silence", () => {
    const total = sum(granted(new DeliveryBudget({ perMinute: 6_000, perHostPerMinute: 60 }), ["a"], MINUTES * 60_000));
    expect(total).toBeLessThanOrEqual(60 * MINUTES + 10);
    expect(total).toBeGreaterThan(60 * MINUTES - 10);
  });

  it("to all hosts are never more than the project's", () => {
    const hosts = Array.from({ length: 40 }, (_, index) => `host-${index}`);
    const total = sum(granted(new DeliveryBudget({ perMinute: 600, perHostPerMinute: 60 }), hosts, MINUTES * 60_000));
    expect(total).toBeLessThanOrEqual(600 * MINUTES + 100);
    expect(total).toBeGreaterThan(600 * MINUTES - 100);
  });

  it("that one host has used up are not taken from another", () => {
    const budget = new DeliveryBudget({ perMinute: 6_000, perHostPerMinute: 60 });
    while (budget.grant("busy", 8, 60_000).granted > 0);
    expect(budget.grant("quiet", 8, 60_000).granted).toBeGreaterThan(0);
  });

  it("come one by one when there are few, and never more than are wanted", () => {
    const budget = new DeliveryBudget({ perMinute: 60, perHostPerMinute: 60 });
    const grants = Array.from({ length: 10 }, () => budget.grant("a", 8, 0).granted);
    expect(grants).toEqual(Array.from({ length: 10 }, () => 1));
    const rich = new DeliveryBudget({ perMinute: 60_000, perHostPerMinute: 60_000 });
    expect(rich.grant("a", 8, 0).granted).toBe(8);
  });

  it("say when the next one is available, and then it is", () => {
    const budget = new DeliveryBudget({ perMinute: 1, perHostPerMinute: 1 });
    expect(budget.grant("a", 8, 0)).toEqual({ granted: 1, waitMs: 0 });
    const { granted: none, waitMs } = budget.grant("a", 8, 0);
    expect([none, waitMs]).toEqual([0, 60_000]);
    expect(budget.grant("a", 8, waitMs - 1).granted).toBe(0);
    expect(budget.grant("a", 8, waitMs).granted).toBe(1);
  });

  it("take bounded memory, however many hosts there are", () => {
    const budget = new DeliveryBudget({ perMinute: 1_000_000, perHostPerMinute: 6 });
    expect(budget.grant("a", 1, 0).granted).toBe(1);
    expect(budget.grant("a", 1, 0).granted).toBe(0);
    for (let count = 0; count < 2_047; count += 1) budget.grant(`host-${count}`, 1, 0);
    expect(budget.grant("a", 1, 0).granted).toBe(0);
    for (let count = 0; count < 2_048; count += 1) budget.grant(`host-${count}`, 1, 0);
    expect(budget.grant("a", 1, 0).granted).toBe(1);
  });

  it("do not grow when the clock goes back", () => {
    const budget = new DeliveryBudget({ perMinute: 60, perHostPerMinute: 60 });
    granted(budget, ["a"], 60_000);
    expect(budget.grant("a", 8, 0).granted).toBe(0);
  });
});
