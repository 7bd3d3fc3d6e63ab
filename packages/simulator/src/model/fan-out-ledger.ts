/**
 * What sessions must hold: exactly the messages that were published while they were subscribed. What happens at the same
 * time as a publish may come before or after it; everything else is certain.
 */

/** Something that was asked for at one moment, and answered at a later one, if ever. */
interface Span {
  readonly asked: number;
  answered: number;
}

interface Published extends Span {
  readonly id: string;
}

interface Stay {
  readonly joined: Span;
  left: Span | undefined;
}

/** Keep it while clients publish, join and leave; then ask it. */
export class FanOutLedger {
  #clock = 0;
  readonly #published = new Map<string, Published[]>();
  readonly #stays = new Map<string, Stay[]>();

  /** @returns what to call when it was acknowledged. */
  publishing(source: string, id: string): () => void {
    const published = { id, asked: this.#tick(), answered: Infinity };
    this.#listOf(this.#published, source).push(published);
    return () => void (published.answered = this.#tick());
  }

  joining(session: string, source: string): () => void {
    const joined = { asked: this.#tick(), answered: Infinity };
    this.#listOf(this.#stays, keyOf(session, source)).push({ joined, left: undefined });
    return () => void (joined.answered = this.#tick());
  }

  leaving(session: string, source: string): () => void {
    const left = { asked: this.#tick(), answered: Infinity };
    const stay = this.#stays.get(keyOf(session, source))?.at(-1);
    if (stay !== undefined) stay.left = left;
    return () => void (left.answered = this.#tick());
  }

  /**
   * Everything that is wrong with what a session holds of a source, in words.
   * @param order the ids that the source itself has, in its order.
   * @param held the ids that the session has of it.
   */
  faultsOf(session: string, source: string, order: readonly string[], held: readonly string[]): string[] {
    const faults: string[] = [];
    const places = held.map((id) => order.indexOf(id));
    if (places.includes(-1)) faults.push(`${session} holds what ${source} never had`);
    if (places.some((place, index) => index > 0 && place <= (places[index - 1] ?? -1))) {
      faults.push(`${session} holds ${source} out of order, or twice: ${held.join(" ")}`);
    }
    const stays = this.#stays.get(keyOf(session, source)) ?? [];
    for (const published of this.#published.get(source) ?? []) {
      if (!order.includes(published.id)) continue;
      const isHeld = held.includes(published.id);
      if (!isHeld && stays.some((stay) => isSurelyIn(stay, published)))
        faults.push(`${session} misses ${published.id}`);
      if (isHeld && !stays.some((stay) => mayBeIn(stay, published))) faults.push(`${session} got ${published.id}`);
    }
    return faults;
  }

  #tick(): number {
    this.#clock += 1;
    return this.#clock;
  }

  #listOf<Item>(map: Map<string, Item[]>, key: string): Item[] {
    const list = map.get(key) ?? [];
    map.set(key, list);
    return list;
  }
}

function isSurelyIn({ joined, left }: Stay, { asked, answered }: Span): boolean {
  return joined.answered < asked && (left === undefined || answered < left.asked);
}

function mayBeIn({ joined, left }: Stay, { asked, answered }: Span): boolean {
  return joined.asked < answered && (left === undefined || asked < left.answered);
}

function keyOf(session: string, source: string): string {
  return `${session} <- ${source}`;
}
