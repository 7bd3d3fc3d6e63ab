/** Formats figures for tables. */
import type { Spread } from "./statistics.ts";

export function formatCount(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

export function formatSpread({ min, max }: Spread): string {
  return `${formatCount(min)} – ${formatCount(max)}`;
}

export function formatMs(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`;
}

/** @param ms such short ones that milliseconds would be mostly zeros. */
export function formatMicros(ms: number): string {
  return `${formatCount(1_000 * ms)} µs`;
}

export function formatRatio(value: number): string {
  return `${value.toFixed(2)} ×`;
}

/** Less than a thousandth is shown as none. */
export function formatShare(value: number): string {
  return `${(Math.abs(value) < 0.0005 ? 0 : 100 * value).toFixed(1)} %`;
}
