/** Turns the server's metrics into those of OpenTelemetry. */

import type { HistogramPoint, Metric, NumberPoint } from "@durable-streams-cloudflare/http/metrics/metric";
import type { HrTime } from "@opentelemetry/api";
import type { DataPoint, Histogram, MetricData } from "@opentelemetry/sdk-metrics";

import type { OpenTelemetry } from "./packages.ts";

/** Between when and when the values were counted. */
export interface Period {
  readonly startTime: HrTime;
  readonly endTime: HrTime;
}

/** Metrics without points are left out. */
export function toOtlp(
  metrics: readonly Metric[],
  period: Period,
  { api, metrics: sdk }: Pick<OpenTelemetry, "api" | "metrics">,
): MetricData[] {
  return metrics
    .filter(({ points }) => points.length > 0)
    .map((metric): MetricData => {
      const { name, help: description } = metric;
      const common = {
        descriptor: { name, description, unit: unitOf(name), valueType: api.ValueType.DOUBLE },
        // Counted since the server started, as Prometheus counts.
        aggregationTemporality: sdk.AggregationTemporality.CUMULATIVE,
      };
      if (metric.type === "histogram") {
        const dataPoints = metric.points.map((point) => histogramPoint(point, period));
        return { ...common, dataPointType: sdk.DataPointType.HISTOGRAM, dataPoints };
      }
      const dataPoints = metric.points.map((point) => numberPoint(point, period));
      return metric.type === "counter"
        ? { ...common, dataPointType: sdk.DataPointType.SUM, isMonotonic: true, dataPoints }
        : { ...common, dataPointType: sdk.DataPointType.GAUGE, dataPoints };
    });
}

function numberPoint({ labels, value }: NumberPoint, period: Period): DataPoint<number> {
  return { ...period, attributes: labels, value };
}

function histogramPoint({ labels, bounds, counts, sum }: HistogramPoint, period: Period): DataPoint<Histogram> {
  const count = counts.reduce((total, each) => total + each, 0);
  const buckets = { boundaries: [...bounds], counts: [...counts] };
  return { ...period, attributes: labels, value: { buckets, count, sum } };
}

/** The unit that the name says, in the notation of UCUM. */
function unitOf(name: string): string {
  if (/_seconds(_total)?$/.test(name)) return "s";
  return /_bytes(_total)?$/.test(name) ? "By" : "";
}
