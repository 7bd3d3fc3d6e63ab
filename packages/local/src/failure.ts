/** Exit codes of the launcher, which the README lists. */
export const EXIT = { stopped: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** An expected failure: users see what failed and how to fix it, never a stack trace. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly fix: string;
  readonly exitCode: number;

  constructor(message: string, fix: string, exitCode: number = EXIT.failed) {
    super(message);
    this.fix = fix;
    this.exitCode = exitCode;
  }
}

export function formatFailure(failure: Failure): string {
  return `✗ ${failure.message}\n  Fix: ${failure.fix}\n`;
}
