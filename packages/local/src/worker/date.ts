/** The value of the header `Date`. It is formatted once per second, which is cheaper than once per response. */

let madeForSecond = Number.NaN;
let text = "";

/** Formats a time as an HTTP date. */
export function dateOf(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== madeForSecond) {
    madeForSecond = second;
    text = new Date(second * 1000).toUTCString();
  }
  return text;
}
