/** The part of Prometheus's text format that is used here. */

export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Formats a metric with its `HELP` and `TYPE` lines.
 * @param values for each line, the text that follows the metric's name: an optional suffix, optional labels, and the number.
 */
export function metric(
  name: string,
  type: "counter" | "gauge" | "histogram",
  help: string,
  values: readonly string[],
): string {
  if (values.length === 0) return "";
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...values.map((value) => `${name}${value}`), ""].join(
    "\n",
  );
}
