/** A full disk, met by a statement or by COMMIT, takes nothing that was acknowledged, of any object. */

import { describe, expect, it } from "vitest";

import { STORAGE_MODES, TRAITS } from "./storage/modes/options.ts";
import { HeldServer } from "./testing/held-server.ts";

const PRODUCER = (seq: number): Record<string, string> => ({
  "Producer-Id": "p",
  "Producer-Epoch": "0",
  "Producer-Seq": String(seq),
});

describe.each(STORAGE_MODES.filter((mode) => TRAITS[mode].isOnDisk))("in the storage mode %s,", (mode) => {
  it("[SM6] [IN1] a statement that finds the disk full takes other objects' writes with it, and none that was acknowledged", async () => {
    await using server = await HeldServer.start({ mode });
    for (const stream of ["small", "large"]) await server.put(stream);
    expect((await server.post("small", "1", PRODUCER(0))).status).toBe(200);
    server.fill();
    server.hold();
    // The first commit holds the disk, so that the next two writes share a transaction.
    const held = server.post("small", "2", PRODUCER(1));
    await server.isHeld();
    const other = server.post("small", "3", PRODUCER(2));
    const full = server.post("large", "x".repeat(500_000));
    server.release();
    const statuses = (await Promise.all([held, other, full])).map(({ status }) => status);
    expect(statuses[2]).toBe(503);
    server.makeSpace();
    // Whatever was answered, the producer repeats what it was not told, and each is there once, in its order.
    expect([200, 204]).toContain((await server.post("small", "2", PRODUCER(1))).status);
    expect([200, 204]).toContain((await server.post("small", "3", PRODUCER(2))).status);
    expect(await server.text("small")).toBe("123");
    expect(await server.text("large")).toBe("");
    expect((await server.post("large", "y")).status).toBe(204);
    expect([await server.text("large"), server.fatal]).toEqual(["y", []]);
  });

  it("[SM6] [IN1] a COMMIT that finds the disk full loses whole transactions, and the server goes on when there is space", async () => {
    await using server = await HeldServer.start({ mode });
    const streams = ["a", "b", "c"];
    for (const stream of streams) await server.put(stream);
    for (const stream of streams) expect((await server.post(stream, "1")).status).toBe(204);
    server.refuseCommits(1_000);
    const refused = await Promise.all(streams.map((stream) => server.post(stream, "2")));
    expect(refused.map(({ status }) => status)).toEqual([503, 503, 503]);
    expect((await server.put("d")).status).toBe(503);
    server.refuseCommits(0);
    for (const stream of streams) expect((await server.post(stream, "3")).status).toBe(204);
    expect(await Promise.all(streams.map((stream) => server.text(stream)))).toEqual(["13", "13", "13"]);
    expect([(await server.put("d")).status, server.fatal]).toEqual([201, []]);
  });
});

it("[SM6] [IN1] in memory, a statement that finds no space undoes its own write, and no other", async () => {
  await using server = await HeldServer.start({ mode: "memory" });
  for (const stream of ["small", "large"]) await server.put(stream);
  expect((await server.post("small", "1", PRODUCER(0))).status).toBe(200);
  server.fill();
  const writes = [server.post("large", "x".repeat(500_000)), server.post("small", "2", PRODUCER(1))];
  const [full] = await Promise.all(writes);
  expect(full?.status).toBe(503);
  server.makeSpace();
  expect([200, 204]).toContain((await server.post("small", "2", PRODUCER(1))).status);
  expect((await server.post("large", "y")).status).toBe(204);
  expect([await server.text("small"), await server.text("large"), server.fatal]).toEqual(["12", "y", []]);
});

it("[SM8] a sync that fails is told once, and nothing is stored or acknowledged any more", async () => {
  await using server = await HeldServer.start();
  await server.put("s");
  server.hold();
  const lost = server.post("s", "x");
  await server.isHeld();
  server.failSync(new Error("EIO"));
  expect((await lost).status).toBe(503);
  expect((await server.post("s", "y")).status).toBe(503);
  expect(server.fatal.map(String)).toEqual(["Error: EIO"]);
});
