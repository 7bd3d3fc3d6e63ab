import { existsSync } from "node:fs";

import { expect, it } from "vitest";
import type { TestSpecification, Vitest } from "vitest/node";

import { LONGEST, LongestFirst } from "./longest-first.ts";

const ROOT = "/repository";

function specification(file: string, groupOrder: number): TestSpecification {
  const project = { name: "unit", config: { isolate: true, sequence: { groupOrder } } };
  return { moduleId: `${ROOT}/${file}`, project } as unknown as TestSpecification;
}

it("each file that begins early is there", () => {
  const root = new URL("../", import.meta.url);
  expect(LONGEST.filter((file) => !existsSync(new URL(file, root)))).toEqual([]);
  expect(new Set(LONGEST).size).toBe(LONGEST.length);
});

it("the longest files of a group come first, and no file leaves its group", async () => {
  const context = { config: { root: ROOT }, cache: { getTestSpecificationResult: () => undefined } };
  const [longest = "", second = ""] = LONGEST;
  const files = [
    specification(longest, 1),
    specification("a.test.ts", 0),
    specification(second, 0),
    specification(longest, 0),
    specification("b.test.ts", 1),
  ];
  const sorted = await new LongestFirst(context as unknown as Vitest).sort(files);
  expect(sorted.map(({ moduleId, project }) => [project.config.sequence.groupOrder, moduleId.slice(12)])).toEqual([
    [0, longest],
    [0, second],
    [0, "a.test.ts"],
    [1, longest],
    [1, "b.test.ts"],
  ]);
});
