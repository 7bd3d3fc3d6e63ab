/** Measures several targets in turns, so that other load on the machine affects all of them equally. */

export async function interleave<Target, Measured>(
  targets: readonly Target[],
  rounds: number,
  measure: (target: Target, round: number) => Promise<Measured>,
): Promise<Map<Target, readonly Measured[]>> {
  const measured = new Map<Target, Measured[]>(targets.map((target) => [target, []]));
  for (let round = 0; round < rounds; round += 1) {
    // Each round begins with another target, so that no target always comes first or always follows the same one.
    const first = round % targets.length;
    for (const target of [...targets.slice(first), ...targets.slice(0, first)]) {
      measured.get(target)?.push(await measure(target, round));
    }
  }
  return measured;
}
