/** What writers of the crash test were promised, and whether a stream keeps it. */

/** One message. Each append has two, its halves, so that a torn append shows. */
export interface Entry {
  readonly writer: string;
  /** The number of the append among those of its writer, from 0. */
  readonly n: number;
  readonly half: 0 | 1;
}

export interface Promised {
  readonly writer: string;
  /** Its appends below this number were acknowledged. */
  readonly acknowledged: number;
  /** Whether one more append was sent and not answered. */
  readonly unanswered: boolean;
}

export function halves(writer: string, n: number): readonly Entry[] {
  return [
    { writer, n, half: 0 },
    { writer, n, half: 1 },
  ];
}

/** Everything that is wrong with a stream's messages, in words; nothing when every promise is kept. */
export function faultsOf(entries: readonly Entry[], promises: readonly Promised[]): readonly string[] {
  const counts = new Map(promises.map(({ writer }) => [writer, 0]));
  const faults: string[] = [];
  for (let at = 0; at < entries.length; at += 2) {
    const [first, second] = [entries[at], entries[at + 1]];
    if (first === undefined || !isWhole(first, second)) return [...faults, `message ${at} begins a torn append`];
    const { writer, n } = first;
    const expected = counts.get(writer);
    if (expected === undefined) faults.push(`${writer} is not known`);
    else if (n !== expected) faults.push(`${writer}: append ${n} stands where ${expected} belongs`);
    counts.set(writer, Math.max(expected ?? 0, n + 1));
  }
  for (const { writer, acknowledged, unanswered } of promises) {
    const count = counts.get(writer) ?? 0;
    if (count < acknowledged) faults.push(`${writer}: ${acknowledged} appends were acknowledged, ${count} are there`);
    const most = unanswered ? acknowledged + 1 : acknowledged;
    if (count > most) faults.push(`${writer}: at most ${most} appends were sent, ${count} are there`);
  }
  return faults;
}

function isWhole(first: Entry, second: Entry | undefined): boolean {
  return first.half === 0 && second?.half === 1 && second.writer === first.writer && second.n === first.n;
}
