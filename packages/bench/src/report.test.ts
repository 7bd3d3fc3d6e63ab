import { expect, it } from "vitest";

import { formatReport, reportData } from "./report.ts";

it("a report names the machine, the method and the run, and says whether each bar was met", () => {
  const report = formatReport({
    machine: ["2 × a processor"],
    method: "In turns.",
    run: "Measured in 2030.",
    sections: [
      {
        title: "Appends",
        about: "One message each.",
        columns: ["Target", "Appends/s"],
        rows: [
          ["ours", "1,000"],
          ["reference", "90"],
        ],
        bars: [
          { claim: "many writers", atLeast: 4, measured: 11.111 },
          { claim: "one writer", atLeast: 1, measured: 0.994 },
        ],
      },
    ],
  });
  expect(report).toBe(`# Measurements

\`npm run bench -- --write\` writes this page; each section says when it was measured, and with which command.

- 2 × a processor

In turns.

## Appends

One message each.

Measured in 2030.

| Target    | Appends/s |
| --------- | --------: |
| ours      |     1,000 |
| reference |        90 |

- many writers: 11.11 × (goal: ≥ 4 ×): met.
- one writer: 0.99 × (goal: ≥ 1 ×): **missed**.
`);
});

it("a report keeps sections that were not measured again in their places", () => {
  const section = (title: string) => ({ title, about: "About.", columns: ["Target"], rows: [["ours"]], bars: [] });
  const head = { machine: ["a processor"], method: "In turns." };
  const first = formatReport({ ...head, run: "First.", sections: ["A", "B", "C"].map(section) });
  const second = formatReport({ ...head, run: "Second.", sections: ["D", "B"].map(section) }, first);
  const runs = [...second.matchAll(/^## (.)\n\nAbout\.\n\n(.*)$/gm)].map(([, title, run]) => `${title} ${run}`);
  expect(runs).toEqual(["A First.", "B Second.", "C First.", "D Second."]);
  expect(formatReport({ ...head, run: "", sections: [] }, second)).toBe(second);
});

it("rows are compared with the requested row, or with the section's default", () => {
  const values = new Map([
    ["ours", [8, 10, 12]],
    ["one", [5]],
    ["other", [20]],
  ]);
  const figures = { unit: "appends/s", better: "more", values, against: "one" } as const;
  const section = { title: "A", about: "", columns: ["Target"], rows: [["ours"], ["no-op"]], bars: [], figures };
  const report = (against?: string) => ({ machine: [], method: "", run: "", against, sections: [section] });
  expect(formatReport(report())).toMatch(/× one \|\n.*\n\| ours +\| +2\.00 × \|\n\| no-op +\| +\|/);
  expect(formatReport(report("other"))).toMatch(/× other \|\n.*\n\| ours +\| +0\.50 × \|/);
  expect(formatReport(report("nobody"))).toContain("× one");
  expect(reportData(report("other"))).toMatchObject({
    sections: [{ against: "other", figures: [{ name: "ours", rounds: [8, 10, 12], median: 10, ratio: 0.5 }, {}, {}] }],
  });
});

it("a bar is left out if one of its targets was not measured", () => {
  const bars = [{ claim: "claim", atLeast: 1, measured: Number.NaN }];
  const section = { title: "A", about: "", columns: ["Target"], rows: [["ours"]], bars };
  expect(formatReport({ machine: [], method: "", run: "", sections: [section] })).not.toContain("claim");
});
