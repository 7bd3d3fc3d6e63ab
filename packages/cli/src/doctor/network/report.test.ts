import { describe, expect, it } from "vitest";

import type { Report } from "../check.ts";
import { ASSUMPTIONS } from "./assumptions.ts";
import { manual, networkReport } from "./report.ts";

const report = (...reports: Report[]): string =>
  networkReport(
    { version: "1.2.3", day: "2026-12-01", colo: "FRA", reports, secrets: ["https://streams.example.com", "acme"] },
    ASSUMPTIONS,
  );

describe("the report of doctor --network", () => {
  it("names neither the server nor the project, whatever an error says", () => {
    const detail = "The server at https://streams.example.com cannot be reached for acme.";
    expect(report({ check: "head", status: "fail", detail })).toContain(
      "| head | does not hold | The server at … cannot be reached for …. |",
    );
  });

  it("keeps its table whole, and escapes what a terminal would obey", () => {
    const text = report({ check: "head", status: "ok", detail: "a|b\u001b[2J" });
    expect(text).toContain(String.raw`a\|b`);
    expect(text).not.toContain("\u001b");
  });

  it("says where and when it was made, and what is left to a person", () => {
    const text = report();
    expect(text).toContain("Version 1.2.3, 2026-12-01, answered by FRA.");
    for (const { id } of manual(ASSUMPTIONS)) expect(text).toContain(`- \`${id}\`: `);
  });
});

describe("the assumptions", () => {
  it("have an id of their own each", () => {
    expect(new Set(ASSUMPTIONS.map(({ id }) => id)).size).toBe(ASSUMPTIONS.length);
  });
});
