/** Exit codes. Scripts rely on them: docs/cli.md lists them. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  unavailable: 5,
  cancelled: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface Explanation {
  /** Kebab-case and stable, because scripts compare it. */
  readonly code: string;
  readonly why?: string;
  /** Exactly what to do; a command, if there is one. */
  readonly fix: string;
  /** The id of the request that the server refused, which is also in the server's log. */
  readonly requestId?: string;
  readonly exitCode?: ExitCode;
  readonly cause?: unknown;
}

/** An expected failure: what failed, why, and how to fix it. Any other error that is thrown is a bug. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: string;
  readonly why: string | undefined;
  readonly fix: string;
  readonly requestId: string | undefined;
  readonly exitCode: ExitCode;

  constructor(what: string, { code, why, fix, requestId, exitCode = EXIT.failed, cause }: Explanation) {
    super(what, { cause });
    this.code = code;
    this.why = why;
    this.fix = fix;
    this.requestId = requestId;
    this.exitCode = exitCode;
  }
}

/** The same failure, with an addition to its fix. */
export function withFix(error: CliError, more: string): CliError {
  const { message, code, why, requestId, fix, exitCode, cause } = error;
  const known = { ...(why === undefined ? {} : { why }), ...(requestId === undefined ? {} : { requestId }) };
  const explanation = { code, ...known, fix: `${fix}; ${more}`, exitCode, cause };
  return new CliError(message, explanation);
}

export function usageError(what: string, fix: string): CliError {
  return new CliError(what, { code: "usage", fix, exitCode: EXIT.usage });
}

/** Why a run was aborted: the signal that asked for it. */
export class Interruption extends Error {
  override readonly name = "Interruption";
  readonly exitCode: ExitCode;

  constructor(signal: "SIGINT" | "SIGTERM" | "SIGHUP") {
    super(signal === "SIGINT" ? "Cancelled." : `Stopped by ${signal}.`);
    this.exitCode = signal === "SIGINT" ? EXIT.cancelled : EXIT.terminated;
  }
}

/** Ends a command that runs until a signal stops it: nothing has failed, and no error is printed. */
export class StoppedBySignal extends Error {
  override readonly name = "StoppedBySignal";
}

/** The error of a command that was interrupted by a signal. */
export function interrupted({ reason }: AbortSignal): CliError {
  const { message, exitCode } = reason instanceof Interruption ? reason : new Interruption("SIGINT");
  return new CliError(message, { code: "cancelled", fix: "run the command again", exitCode });
}

/** The error after Escape, or the answer no, in a prompt. */
export function cancelled(what = "Cancelled."): CliError {
  return new CliError(what, { code: "cancelled", fix: "run the command again", exitCode: EXIT.cancelled });
}

/** The text of anything that was thrown. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // The message of `fetch failed` says nothing, but its cause does.
  return error.cause instanceof Error && error.cause.message !== "" ? error.cause.message : error.message;
}
