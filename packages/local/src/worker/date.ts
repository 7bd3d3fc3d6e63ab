/** The value of the header `Date`, which is made once a second: that is cheaper than to make it for each response. */

let madeForSecond = Number.NaN;
let text = "";

export function dateOf(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== madeForSecond) {
    madeForSecond = second;
    text = new Date(second * 1000).toUTCString();
  }
  return text;
}
