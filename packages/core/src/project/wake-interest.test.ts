import { beforeEach, expect, it } from "vitest";

import { NodeDatabase } from "../../test/node-database.ts";
import type { Interest } from "../contracts/wakes.ts";
import { PROJECT_SCHEMA } from "./tables/schema.ts";
import {
  forgetConsumer,
  forgetStreams,
  listSubscriptions,
  registerConsumer,
  notifySubscriptions,
} from "./wake-interest.ts";

let database: NodeDatabase;

beforeEach(() => {
  database = new NodeDatabase(PROJECT_SCHEMA);
});

function register(id: string, more: Partial<Interest>) {
  return registerConsumer(database, id, { type: "webhook", createdAtMs: 1, pattern: null, streams: [], ...more });
}

/** Who is notified of a stream. */
async function notifiedOf(stream: string): Promise<string[]> {
  const notified: string[] = [];
  await notifySubscriptions(database, { stream, incarnation: 1, hasEnded: false }, true, (id) => ({
    discover: async () => void notified.push(id),
    remove: async () => undefined,
  }));
  return notified.toSorted();
}

it("[SU9] subscriptions learn of streams that they name or whose pattern matches, once, and of no others", async () => {
  register("by-pattern", { pattern: "a/*" });
  register("by-name", { streams: ["b", "a/1"] });
  register("by-both", { pattern: "**", streams: ["a/1"] });
  expect(await notifiedOf("a/1")).toEqual(["by-both", "by-name", "by-pattern"]);
  expect(await notifiedOf("c")).toEqual(["by-both"]);
});

it("names add up, and go one by one or with the subscription", async () => {
  register("x", { streams: ["a"] });
  register("x", { streams: ["b", "c"] });
  forgetStreams(database, "x", ["b"]);
  expect(await Promise.all(["a", "b", "c"].map(notifiedOf))).toEqual([["x"], [], ["x"]]);
  forgetConsumer(database, "x");
  expect(await notifiedOf("a")).toEqual([]);
});

it("a project without subscriptions has no tables for them", async () => {
  expect(await notifiedOf("a")).toEqual([]);
  forgetConsumer(database, "x");
  forgetStreams(database, "x", ["a"]);
  expect(listSubscriptions(database, "", 10)).toEqual({ subscriptions: [], cursor: null });
  expect(database.tableNames()).toEqual([]);
});

it("a project has at most a thousand subscriptions, and one that is registered again is counted once", () => {
  for (let count = 0; count < 1_000; count += 1) expect(register(`s${count}`, { streams: ["a"] }).ok).toBe(true);
  expect(register("one-more", {})).toMatchObject({ problem: { code: "subscriptions-full" } });
  expect(register("s7", {}).ok).toBe(true);
});

it("subscriptions are listed page by page, in the order of their ids", () => {
  for (const id of ["c", "a", "b"]) register(id, { pattern: "*" });
  const first = listSubscriptions(database, "", 2);
  expect(first.subscriptions.map(({ id }) => id)).toEqual(["a", "b"]);
  expect(listSubscriptions(database, first.cursor ?? "", 2)).toMatchObject({
    subscriptions: [{ id: "c" }],
    cursor: null,
  });
});
