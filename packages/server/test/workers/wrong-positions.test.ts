/**
 * What a client sees of an object that finds a wrong position in its log. On Node.js, the test of the same name in
 * `packages/node/src` shows it.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { append, content, inObject, newStream, type Edge } from "./edge.ts";

let lines: Readonly<Record<string, unknown>>[];

beforeEach(() => {
  lines = [];
  vi.spyOn(console, "error").mockImplementation(
    (line) => void lines.push(JSON.parse(String(line)) as (typeof lines)[0]),
  );
});

afterEach(() => void vi.restoreAllMocks());

function execute(edge: Edge, statement: string): Promise<unknown[]> {
  return inObject(edge, (_, { storage }) => storage.sql.exec(statement).toArray());
}

const rowsOf = (edge: Edge) => execute(edge, "SELECT position, length(bytes) AS size FROM log ORDER BY position");

it("a read that finds it is a 500 without the error's text, and a log line with it; nothing is stored until the rows can be read again", async () => {
  const edge = await newStream({ vars: { LOG_LEVEL: "error" } });
  for (const text of ["aaaaa", "bbbbb", "ccccc"]) expect((await append(edge, text)).status).toBe(204);
  await execute(edge, "UPDATE log SET position = 6 WHERE position = 5");
  const rows = await rowsOf(edge);
  // The first read finds the gap, and drops what the object has in memory: so the next calls find it when they read the rows.
  const answers = [
    await edge.fetch("?offset=-1"),
    await edge.fetch("", { method: "HEAD" }),
    await append(edge, "ddddd"),
  ];
  expect(answers.map(({ status }) => status)).toEqual([500, 500, 500]);
  const [read, , appended] = answers;
  for (const answer of [read, appended]) {
    expect(answer?.headers.get("Content-Type")).toBe("application/problem+json");
    const text = (await answer?.text()) ?? "";
    expect(JSON.parse(text)).toMatchObject({ code: "internal", status: 500, effects: "unknown" });
    expect(text).not.toMatch(/expected|position/);
  }
  expect(await rowsOf(edge)).toEqual(rows);
  expect(lines.map((line) => line["error.message"])).toContainEqual(
    expect.stringContaining("the beginning of a row of the log: expected 5, found 6."),
  );
  expect(lines.map(({ message }) => message)).toContain(
    "A position of the log is wrong; the state in memory is dropped.",
  );
  await execute(edge, "UPDATE log SET position = 5 WHERE position = 6");
  expect((await append(edge, "ddddd")).status).toBe(204);
  expect(await content(edge)).toBe("aaaaabbbbbcccccddddd");
});
