import { expect, it } from "vitest";

import { plotSections } from "./plot.ts";
import type { Section } from "./scenarios/scenario.ts";

const section = (title: string, values?: Record<string, readonly number[]>): Section => ({
  title,
  about: "",
  columns: [],
  rows: [],
  bars: [],
  ...(values && {
    figures: { unit: "appends/s", better: "more", values: new Map(Object.entries(values)), against: "other" },
  }),
});

it("a plot has a panel for each section with figures, and a bar as long as each median", () => {
  const svg = plotSections("appends", [
    section("A & B", { node: [100, 300, 200], other: [100, 100, 100] }),
    section("only a table"),
  ]);
  expect(svg).toContain("A &amp; B");
  expect(svg).not.toContain("only a table");
  const widths = [...(svg ?? "").matchAll(/<rect class="(.*?)".*? width="(.*?)"/g)].map(([, kind, width]) => [
    kind,
    width,
  ]);
  expect(widths).toEqual([
    ["bar ours", "306.7"],
    ["bar", "153.3"],
  ]);
  // Rounds have a spread only if they differ.
  expect(svg?.match(/class="spread"/g)).toHaveLength(1);
});

it("nothing is plotted without figures", () => {
  expect(plotSections("none", [section("only a table")])).toBeUndefined();
});
