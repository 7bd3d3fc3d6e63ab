/**
 * A map that forgets its oldest entries. Not one by one: a `Map` keeps the places of what was deleted at its front, and
 * looks at all of them each time it is asked for its oldest key. A whole generation goes at once.
 */
export class RecentMap<Value> {
  readonly #generationMax: number;
  #newer = new Map<string, Value>();
  #older = new Map<string, Value>();

  /** @param sizeMax most entries held; at least the newest half of them is always there. */
  constructor(sizeMax: number) {
    this.#generationMax = sizeMax / 2;
  }

  get(key: string): Value | undefined {
    return this.#newer.get(key) ?? this.#older.get(key);
  }

  set(key: string, value: Value): void {
    this.#newer.set(key, value);
    if (this.#newer.size < this.#generationMax) return;
    this.#older = this.#newer;
    this.#newer = new Map();
  }
}
