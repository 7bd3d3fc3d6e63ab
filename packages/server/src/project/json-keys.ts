/** Whether an object's JSON names a key twice: `JSON.parse` takes the last, another reader the first. */

/** @param json the text of an object, which `JSON.parse` accepts. */
export function hasDuplicateKeys(json: string): boolean {
  const seen = new Set<string>();
  let depth = 0;
  const token = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/gs;
  for (const [text, colon] of json.matchAll(token)) {
    if (text === "{" || text === "[") depth += 1;
    else if (text === "}" || text === "]") depth -= 1;
    else if (colon !== undefined && depth === 1) {
      // Escapes are resolved: "s\u0075b" is "sub".
      const key = String(JSON.parse(text.slice(0, text.lastIndexOf('"') + 1)));
      if (seen.has(key)) return true;
      seen.add(key);
    }
  }
  return false;
}
