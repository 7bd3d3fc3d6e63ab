/** Writes metrics in Prometheus's text format. */

import type { HistogramPoint, Labels, Metric } from "./metric.ts";

export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Metrics without points are left out. */
export function formatPrometheus(metrics: readonly Metric[]): string {
  return metrics.map(formatMetric).join("");
}

function formatMetric(metric: Metric): string {
  const { name, type, help, points } = metric;
  if (points.length === 0) return "";
  const values =
    metric.type === "histogram"
      ? metric.points.flatMap((point) => histogramLines(name, point))
      : metric.points.map(({ labels, value }) => `${name}${formatLabels(labels)} ${value}`);
  return `${[`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...values].join("\n")}\n`;
}

/** A bucket also counts what is in those before it. */
function histogramLines(name: string, { labels, bounds, counts, sum }: HistogramPoint): readonly string[] {
  let total = 0;
  const buckets = counts.map((count, index) => {
    total += count;
    return `${name}_bucket${formatLabels({ ...labels, le: String(bounds[index] ?? "+Inf") })} ${total}`;
  });
  const suffix = formatLabels(labels);
  return [...buckets, `${name}_sum${suffix} ${sum}`, `${name}_count${suffix} ${total}`];
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replaceAll(/["\\\n]/g, escaped)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(character: string): string {
  return character === "\n" ? "\\n" : `\\${character}`;
}
