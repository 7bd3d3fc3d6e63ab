/** Prints the configuration: each value, and where it comes from. */

import type { ConfigValue } from "./resolve.ts";

/** @param values of `ResolvedConfig`, in which secrets are masked. */
export function formatConfig(values: readonly ConfigValue[]): string {
  return values.map(formatValue).join("");
}

function formatValue({ path, value, default: general, layer, source, hidden }: ConfigValue): string {
  const shown = value === "" ? "(none)" : value;
  if (layer === "default") return `${path} = ${shown}  (${source})\n`;
  const lines = [
    `${path} = ${shown}`,
    `    from ${source}; the default is ${general === "" ? "(none)" : general}`,
    ...hidden.map((other) => `    instead of ${other.value} from ${other.source}`),
  ];
  return `${lines.join("\n")}\n`;
}
