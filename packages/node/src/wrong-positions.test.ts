/**
 * What a client sees of an object that finds a wrong position in its log. On Workers, the test of the same name in
 * `packages/server/test/workers` shows it.
 */

import { HotLog } from "@durable-streams-cloudflare/core/log/hot-log";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { HeldServer } from "./testing/held-server.ts";

type Line = Readonly<Record<string, unknown>>;

const DROPPED = "A position of the log is wrong; the state in memory is dropped.";
const settings = { LOG_LEVEL: "error" };

let lines: Line[];

beforeEach(() => {
  lines = [];
  vi.spyOn(console, "error").mockImplementation((line) => void lines.push(JSON.parse(String(line)) as Line));
});

afterEach(() => void vi.restoreAllMocks());

/** Expects a problem that says nothing about the error. */
async function expectInternal(answer: Response): Promise<void> {
  expect([answer.status, answer.headers.get("Content-Type")]).toEqual([500, "application/problem+json"]);
  const text = await answer.text();
  expect(JSON.parse(text)).toMatchObject({ code: "internal", status: 500, effects: "unknown" });
  expect(text).not.toMatch(/expected|position/);
}

const ROWS = "SELECT position, length(bytes) AS size FROM stream_log ORDER BY position";

it("after a read, it is a 500 and a log line; nothing is stored until the rows can be read again", async () => {
  await using server = await HeldServer.start({ settings });
  await server.put("s");
  for (const text of ["aaaaa", "bbbbb", "ccccc"]) expect((await server.post("s", text)).status).toBe(204);
  server.execute("UPDATE stream_log SET position = 6 WHERE position = 5");
  const rows = server.execute(ROWS);
  await expectInternal(await fetch(server.url("s")));
  // What the object had in memory is dropped: the next calls read the rows, which do not meet.
  expect((await fetch(server.url("s"), { method: "HEAD" })).status).toBe(500);
  await expectInternal(await server.post("s", "ddddd"));
  expect(server.execute(ROWS)).toEqual(rows);
  expect(lines.map((line) => line["error.message"])).toContainEqual(
    "the beginning of a row of the log: expected 5, found 6.",
  );
  expect(lines.map(({ message }) => message)).toContain(DROPPED);
  server.execute("UPDATE stream_log SET position = 5 WHERE position = 6");
  expect((await server.post("s", "ddddd")).status).toBe(204);
  expect([await server.text("s"), server.fatal]).toEqual(["aaaaabbbbbcccccddddd", []]);
});

it("before a write, it is a 500 and a log line; nothing is stored, and the next append goes in at the right position", async () => {
  await using server = await HeldServer.start({ settings });
  await server.put("s");
  expect((await server.post("s", "aaaaa")).status).toBe(204);
  // Memory goes wrong: the log does not learn of a commit.
  vi.spyOn(HotLog.prototype, "committed").mockImplementationOnce(() => undefined);
  expect((await server.post("s", "bbbbb")).status).toBe(204);
  const rows = server.execute(ROWS);
  await expectInternal(await server.post("s", "ccccc"));
  expect(server.execute(ROWS)).toEqual(rows);
  expect(lines.map(({ message }) => message)).toContain(DROPPED);
  expect((await server.post("s", "ddddd")).status).toBe(204);
  expect([await server.text("s"), server.fatal]).toEqual(["aaaaabbbbbddddd", []]);
});
