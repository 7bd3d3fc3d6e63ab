import { describe, expect, it } from "vitest";

import { dataLine, headerLine, markLine } from "./export-format.ts";
import { importParts, type ImportPart } from "./import-batches.ts";

const HEADER = {
  version: 1,
  id: "x",
  url: "http://localhost/v1/stream/a",
  contentType: "application/json",
  ttlSeconds: null,
  expiresAt: null,
  retentionSeconds: null,
  retentionBytes: null,
} as const;

async function partsOf(text: string): Promise<ImportPart[]> {
  const lines = async function* () {
    yield* text.split("\n").filter((line) => line !== "");
  };
  const parts: ImportPart[] = [];
  for await (const part of importParts(lines())) parts.push(part);
  return parts;
}

const mark = (offset: string, closed = false) => markLine({ offset, upToDate: true, closed });

describe("the appends of an import", () => {
  it("never cross a mark, and keep the text of messages", async () => {
    const text = headerLine(HEADER) + dataLine("1.0") + dataLine('{"a":"}"}') + mark("2") + dataLine("3") + mark("3");
    const batches = (await partsOf(text)).flatMap((part) => ("batch" in part ? [part.batch] : []));
    expect(batches).toEqual([["1.0", '{"a":"}"}'], ["3"]]);
  });

  it("are the same for a file that has been extended since", async () => {
    const big = JSON.stringify("x".repeat(300_000));
    const first = headerLine(HEADER) + dataLine(big) + dataLine(big) + mark("2");
    const more = first + dataLine("3") + mark("3", true);
    const [before, after] = [await partsOf(first), await partsOf(more)];
    expect(before.slice(0, -1)).toEqual(after.slice(0, before.length - 1));
    expect(before.slice(1, -1)).toEqual([{ batch: [big] }, { batch: [big] }]);
    expect(after.at(-1)).toEqual({ isClosed: true });
  });

  it("leave out the incomplete end of an interrupted export", async () => {
    const parts = await partsOf(headerLine(HEADER) + dataLine("1") + mark("1") + dataLine("2"));
    expect(parts).toEqual([{ header: HEADER }, { batch: ["1"] }, { isClosed: false }]);
  });

  it.each(["hello", '{"other":1}', "1", '{"export":{"version":2}}'])("refuse the line %s", async (line) => {
    await expect(partsOf(headerLine(HEADER) + line)).rejects.toMatchObject({ code: "export-unreadable" });
  });
});
