/**
 * What must hold where a wrong position would corrupt a log: checked before a write and after a read. A failure is a bug, or
 * shows that stored data is damaged. Nothing is written on account of it, and whoever holds state in memory drops it.
 */

export class AssertionFailed extends Error {
  override readonly name = "AssertionFailed";
}

/** @param what it is, in words. Clients' bytes do not belong in here: it is logged. @throws AssertionFailed */
export function assertEqual(what: string, found: number, expected: number): void {
  if (found !== expected) throw new AssertionFailed(`${what}: expected ${expected}, found ${found}.`);
}

/** Like `assertEqual`, for a lower bound. @throws AssertionFailed */
export function assertAtLeast(what: string, found: number, least: number): void {
  // Also when it is not a number.
  if (!(found >= least)) throw new AssertionFailed(`${what}: expected at least ${least}, found ${found}.`);
}
