/** Measures several targets in turns, so that whatever else the machine does meanwhile hits all of them alike. */

export async function interleave<Target, Measured>(
  targets: readonly Target[],
  rounds: number,
  measure: (target: Target, round: number) => Promise<Measured>,
): Promise<Map<Target, readonly Measured[]>> {
  const measured = new Map<Target, Measured[]>(targets.map((target) => [target, []]));
  for (let round = 0; round < rounds; round += 1) {
    // Each round begins with another target: nobody always comes first, or always after the same neighbour.
    const first = round % targets.length;
    for (const target of [...targets.slice(first), ...targets.slice(0, first)]) {
      measured.get(target)?.push(await measure(target, round));
    }
  }
  return measured;
}
