/**
 * A map that forgets its oldest entries, a whole generation at a time. Deleting them one by one would be slow: a `Map` keeps
 * the slots of deleted entries at its front and walks over all of them to find its oldest key.
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
