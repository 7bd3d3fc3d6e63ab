import { expect, it } from "vitest";

import { formatReport } from "./report.ts";

it("a report names machine, command and date, and says of each bar whether it was met", () => {
  const report = formatReport({
    date: "2030-01-02",
    machine: ["2 × a processor"],
    command: "npm run bench",
    method: "Five rounds.",
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

Measured on 2030-01-02 by \`npm run bench\`, which wrote this file.

- 2 × a processor

Five rounds.

## Appends

One message each.

| Target    | Appends/s |
| --------- | --------: |
| ours      |     1,000 |
| reference |        90 |

- many writers: 11.11 ×, at least 4 × is asked for: met.
- one writer: 0.99 ×, at least 1 × is asked for: **missed**.
`);
});
