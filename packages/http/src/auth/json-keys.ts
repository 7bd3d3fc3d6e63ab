/** Detects an object in a JSON text that has the same key twice: `JSON.parse` takes the last value, other parsers the first. */

/** The part of a string that is used here. Tests pass an implementation that counts how often characters are read. */
export type Characters = Pick<string, "length" | "charCodeAt" | "slice">;

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d]);
const SPACES: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/**
 * Whether any object in the text has the same key twice. Anyone may send such a text, so the time is linear: each character is
 * read a bounded number of times.
 * @param json the text of an object that `JSON.parse` accepts.
 */
export function hasDuplicateKeys(json: Characters): boolean {
  // The keys of each object, or none of each list, that has begun and not ended.
  const open: Set<string>[] = [];
  for (let at = 0; at < json.length;) {
    const code = json.charCodeAt(at);
    if (code !== QUOTE) {
      if (OPENING.has(code)) open.push(new Set());
      else if (CLOSING.has(code)) open.pop();
      at += 1;
      continue;
    }
    const end = endOfText(json, at);
    const next = endOfSpaces(json, end);
    const seen = open.at(-1);
    if (seen !== undefined && json.charCodeAt(next) === COLON) {
      // Escapes are resolved: "s\u0075b" is "sub".
      const key = String(JSON.parse(json.slice(at, end)));
      if (seen.has(key)) return true;
      seen.add(key);
    }
    at = next;
  }
  return false;
}

/** Behind the quote that ends a text, or the end of everything when none does. */
function endOfText(json: Characters, start: number): number {
  for (let at = start + 1; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at += 1;
  }
  return json.length;
}

function endOfSpaces(json: Characters, start: number): number {
  let at = start;
  while (at < json.length && SPACES.has(json.charCodeAt(at))) at += 1;
  return at;
}
