/** Prometheus's text format, as far as it is used here. */

export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * A metric with its values.
 * @param values each the part of a line behind the metric's name: perhaps a suffix and labels, and the number.
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
