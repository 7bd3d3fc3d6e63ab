/** Finds where the keys of a TOML document are, which its parser does not say. */

/** A place in a file; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/**
 * Finds the first place of each table and key.
 * @param toml a document that a parser has accepted.
 * @returns the places by path, with dots between the keys.
 */
export function keyPlaces(toml: string): ReadonlyMap<string, Place> {
  return new Scanner(toml).places;
}

type Keys = readonly string[];

class Scanner {
  readonly places = new Map<string, Place>();
  readonly #text: string;
  #at = 0;
  /** Where the line of the last key that was found begins, and its number. */
  #lineStart = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
    let table: Keys = [];
    for (this.#skipBlank(); this.#at < text.length; this.#skipBlank()) {
      if (text[this.#at] === "[") table = this.#table();
      else this.#pair(table);
    }
  }

  /** `[a.b]` or `[[a.b]]`. */
  #table(): Keys {
    const start = this.#at;
    this.#skip(/\[+/y);
    const keys = this.#keys();
    this.#skip(/[ \t]*\]+/y);
    this.#found(keys, keys.length, start);
    return keys;
  }

  /** `a.b = value`. */
  #pair(table: Keys): void {
    const start = this.#at;
    const keys = this.#keys();
    this.#skip(/[ \t]*=[ \t]*/y);
    const path = [...table, ...keys];
    this.#found(path, keys.length, start);
    this.#value(path);
    // Whatever happens, the scan goes forward.
    if (this.#at === start) this.#at += 1;
  }

  /** Also records the tables that the keys imply. */
  #found(path: Keys, own: number, at: number): void {
    for (let end = this.#text.indexOf("\n", this.#lineStart); end >= 0 && end < at;) {
      this.#lineStart = end + 1;
      this.#line += 1;
      end = this.#text.indexOf("\n", this.#lineStart);
    }
    const place = { line: this.#line, column: at - this.#lineStart + 1 };
    for (let length = path.length - own + 1; length <= path.length; length += 1) {
      const name = path.slice(0, length).join(".");
      if (!this.places.has(name)) this.places.set(name, place);
    }
  }

  #keys(): Keys {
    const keys: string[] = [];
    do {
      this.#skip(/[ \t]*/y);
      const raw = this.#skip(/"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'.=\][]+/y);
      keys.push(raw.replace(/^(["'])(.*)\1$/s, "$2"));
    } while (this.#skip(/[ \t]*\./y) !== "");
    return keys;
  }

  #value(path: Keys): void {
    const strings = /"""(?:[^\\]|\\[^])*?"{3,5}|'''[^]*?'{3,5}|"(?:[^"\\]|\\.)*"|'[^']*'/y;
    if (this.#skip(strings) !== "") return;
    const opening = this.#skip(/[[{]/y);
    if (opening === "") this.#skip(/[^,\]}#\n]*/y);
    else this.#items(path, opening);
  }

  /** The content of an array or of an inline table, with its closing bracket. */
  #items(path: Keys, opening: string): void {
    while (this.#at < this.#text.length) {
      this.#skipBlank();
      if (this.#skip(/[\]}]/y) !== "") return;
      if (this.#skip(/,/y) !== "") continue;
      const start = this.#at;
      if (opening === "{") this.#pair(path);
      else this.#value(path);
      if (this.#at === start) this.#at += 1;
    }
  }

  /** Skips spaces, line ends and comments. */
  #skipBlank(): void {
    this.#skip(/(?:\s|#[^\n]*)*/y);
  }

  #skip(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found = ""] = pattern.exec(this.#text) ?? [];
    this.#at += found.length;
    return found;
  }
}
