/** Finds the name that somebody has probably meant. */

/** @returns `undefined` if no name is near. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of names) {
    const distance = Math.min(distanceOf(word, name), 1 + distanceOf(keyOf(word), keyOf(name)));
    if (distance < (best?.distance ?? Infinity)) best = { name, distance };
  }
  return best !== undefined && best.distance <= Math.max(2, Math.ceil(keyOf(word).length / 4)) ? best.name : undefined;
}

/** The last part of a name: a key that is right, in another table, is near as well. */
function keyOf(name: string): string {
  return name.slice(Math.max(name.lastIndexOf("."), name.lastIndexOf("__") + 1) + 1);
}

/** How many letters must be inserted, removed or replaced to make one text of the other. */
function distanceOf(one: string, other: string): number {
  const [a, b] = [one.toLowerCase().slice(0, LENGTH_MAX), other.toLowerCase().slice(0, LENGTH_MAX)];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

const LENGTH_MAX = 80;
