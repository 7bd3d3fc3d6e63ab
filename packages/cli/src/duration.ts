import { usageError } from "./failure.ts";

const UNITS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** Parses `90`, `90s`, `15m`, `12h` or `30d` into seconds. @throws CliError */
export function parseDuration(text: string): number {
  const [, number, unit = "s"] = /^([1-9]\d{0,8})([smhd])?$/.exec(text) ?? [];
  if (number === undefined)
    throw usageError(
      `${JSON.stringify(text)} is not a duration.`,
      "use a number with a unit, such as 90s, 15m, 12h or 30d",
    );
  return Number(number) * UNITS[unit as keyof typeof UNITS];
}
