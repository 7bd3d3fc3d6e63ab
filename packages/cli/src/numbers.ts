import { usageError } from "./failure.ts";

/** Parses the number of a flag such as `--limit 10`. Without the flag, there is no limit. @throws CliError */
export function parseCount(flag: string, text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (!/^[1-9]\d{0,9}$/.test(text)) throw usageError(`${flag} must be a whole number of at least 1.`, `${flag} 10`);
  return Number(text);
}

/** `1 message`, `2 messages`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
