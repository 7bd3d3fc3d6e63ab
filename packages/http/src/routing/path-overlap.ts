/** Compares paths in the notation of the route table. */

/** Whether some path fits both patterns. */
export function overlaps(one: string, other: string): boolean {
  return overlap(one.split("/").slice(1), other.split("/").slice(1));
}

function overlap([a, ...restA]: readonly string[], [b, ...restB]: readonly string[]): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (isTail(a) || isTail(b)) return true;
  const isSame = a === b || a.startsWith(":") || b.startsWith(":");
  return isSame && overlap(restA, restB);
}

function isTail(part: string): boolean {
  return part.endsWith("{.+}");
}
