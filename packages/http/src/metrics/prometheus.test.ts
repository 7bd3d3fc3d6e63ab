import { expect, it } from "vitest";

import { Histogram } from "./histogram.ts";
import { single } from "./metric.ts";
import { formatPrometheus } from "./prometheus.ts";

it("a metric is its help, its type, and a line for each of its values", () => {
  const points = [
    { labels: { kind: "stream", process: "server" }, value: 2 },
    { labels: { kind: 'a "quoted" \\ name\n' }, value: 0.5 },
  ];
  const labelled = { type: "gauge", name: "loaded", help: "Objects in memory.", points } as const;
  expect(formatPrometheus([single("counter", "commits_total", "Commits.", 7), labelled])).toBe(
    [
      "# HELP commits_total Commits.",
      "# TYPE commits_total counter",
      "commits_total 7",
      "# HELP loaded Objects in memory.",
      "# TYPE loaded gauge",
      'loaded{kind="stream",process="server"} 2',
      'loaded{kind="a \\"quoted\\" \\\\ name\\n"} 0.5',
      "",
    ].join("\n"),
  );
});

it("a metric without a value is not shown", () => {
  expect(formatPrometheus([single("gauge", "nothing", "Not known yet.", undefined)])).toBe("");
});

it("a bucket of a histogram counts what is in those before it", () => {
  const histogram = new Histogram([0.1, 1]);
  for (const seconds of [0.125, 0.0625, 4, 0.5]) histogram.observe(seconds);
  const points = [histogram.point({ method: "GET" })];
  expect(formatPrometheus([{ type: "histogram", name: "took", help: "Time.", points }])).toBe(
    [
      "# HELP took Time.",
      "# TYPE took histogram",
      'took_bucket{method="GET",le="0.1"} 1',
      'took_bucket{method="GET",le="1"} 3',
      'took_bucket{method="GET",le="+Inf"} 4',
      'took_sum{method="GET"} 4.6875',
      'took_count{method="GET"} 4',
      "",
    ].join("\n"),
  );
});
