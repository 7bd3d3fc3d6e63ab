import type { Io } from "./io.ts";

export type Paint = (text: string) => string;

export interface Colors {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

/** @param isOn if `false`, all texts stay unchanged. */
export function colors(isOn: boolean): Colors {
  const paint = ([begin, end]: readonly [number, number]): Paint =>
    isOn ? (text) => `\u001b[${begin}m${text}\u001b[${end}m` : (text) => text;
  return Object.fromEntries(Object.entries(CODES).map(([name, codes]) => [name, paint(codes)])) as unknown as Colors;
}

/** `--no-color`, then `NO_COLOR` (https://no-color.org), then `FORCE_COLOR`; otherwise on terminals that support colours. */
export function wantsColors(env: Io["env"], isTerminal: boolean, isRefused: boolean): boolean {
  if (isRefused || (env["NO_COLOR"] ?? "") !== "") return false;
  const forced = env["FORCE_COLOR"];
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  return isTerminal && env["TERM"] !== "dumb";
}
