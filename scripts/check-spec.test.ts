import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { checkSpec, readInputs, type Inputs } from "./check-spec.ts";

const real = readInputs(join(import.meta.dirname, ".."));

test("every rule of docs/spec.md has a test, and every id in a title has a rule", () => {
  expect(checkSpec(real).faults).toEqual([]);
});

test("titles are counted, one for each rule that they name", () => {
  const { rules, titles, titlesInAll } = checkSpec(real);
  expect(rules.length).toBeGreaterThan(300);
  expect(titlesInAll).toBeGreaterThan(rules.length);
  expect([...titles.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(titlesInAll);
});

/** What the check says of the real files with one change. */
function faultsWith(change: Partial<Inputs>): readonly string[] {
  return checkSpec({ ...real, ...change }).faults;
}

function withTest(text: string): Partial<Inputs> {
  return { tests: [...real.tests, { path: "packages/x.test.ts", text }] };
}

function withRule(rule: string): Partial<Inputs> {
  return { spec: real.spec.replace("\n- **[OF1]**", `\n${rule}\n- **[OF1]**`) };
}

describe("a fault is", () => {
  test("a rule that no title names", () => {
    const faults = faultsWith(withRule("- **[OF99]** (§8) New."));
    expect(faults).toEqual(["[OF99] is in no title: name it in the test that proves it."]);
  });

  test.each([
    ["its test is skipped", 'it.skip("[OF99] holds", () => {});'],
    ["it is only named in a comment", "// [OF99] holds"],
    ["it is named in a text that is no title", 'const text = "[OF99] holds";'],
    ["it stands within a title", 'it("holds [OF99]", () => {});'],
  ])("a rule that no title names: %s", (_why, text) => {
    const faults = faultsWith({ ...withRule("- **[OF99]** (§8) New."), ...withTest(text) });
    expect(faults).toEqual(["[OF99] is in no title: name it in the test that proves it."]);
  });

  test.each([
    ["of a test", 'it("[OF99] holds", () => {});'],
    ["of a group", 'describe("[OF1] [OF99] offsets", () => {});'],
    ["of a table, in a line of its own", 'it.each([1])(\n  "[OF99] %d",\n  () => {},\n);'],
    ["with an id of another form", 'it("[C21] holds", () => {});'],
  ])("a title %s that names no rule", (_what, text) => {
    expect(faultsWith(withTest(text)).join()).toMatch(/names \[(OF99|C21)\], which is no rule/);
  });

  test.each([
    ["an id that two rules have", "- **[OF2]** (§8) Again.", "[OF2] is the id of two rules."],
    [
      "a rule under another area",
      "- **[ZZ1]** (ours) New.\n\n## Elsewhere\n\n- **[ZZ2]** (ours) New.",
      "[ZZ2] stands under",
    ],
    ["a rule without a section", "- **[OF98]** What holds.", "a rule has the form"],
    ["a section that there is not", "- **[OF98]** (§99) What holds.", '[OF98] comes from "§99"'],
    ["a page that there is not", "- **[OF98]** ([extension](nowhere.md)) What holds.", "[OF98] comes from"],
    [
      "a heading that there is not",
      "- **[OF98]** ([extension](extensions.md#nowhere)) What holds.",
      "[OF98] comes from",
    ],
  ])("%s", (_what, rule, fault) => {
    expect(faultsWith(withRule(rule)).join()).toContain(fault);
  });

  test("a section of the protocol from which no rule comes", () => {
    expect(faultsWith({ spec: real.spec.replaceAll("§7.3", "§7.2") })).toEqual(["No rule comes from §7.3."]);
  });
});
