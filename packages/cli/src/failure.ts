/** Exit codes, a contract: docs/cli.md lists them. */
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
  /** Kebab-case and stable: scripts compare it. */
  readonly code: string;
  readonly why?: string;
  /** Exactly what to do: a command, where there is one. */
  readonly fix: string;
  /** Of the request that the server has refused; its log says more about it. */
  readonly requestId?: string;
  readonly exitCode?: ExitCode;
  readonly cause?: unknown;
}

/** An expected failure: what failed, why, and how to fix it. Anything else that is thrown is a mistake of ours. */
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

/** The same failure, with more to do about it. */
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
    super(signal === "SIGINT" ? "Cancelled." : `Ended by ${signal}.`);
    this.exitCode = signal === "SIGINT" ? EXIT.cancelled : EXIT.terminated;
  }
}

/** The end of a command that goes on until a signal ends it: nothing has failed, and nothing is left to say. */
export class EndedAsAsked extends Error {
  override readonly name = "EndedAsAsked";
}

/** What a command that was interrupted ends with. */
export function interrupted({ reason }: AbortSignal): CliError {
  const { message, exitCode } = reason instanceof Interruption ? reason : new Interruption("SIGINT");
  return new CliError(message, { code: "cancelled", fix: "run the command again", exitCode });
}

/** Escape in a prompt, or the answer no. */
export function cancelled(what = "Cancelled."): CliError {
  return new CliError(what, { code: "cancelled", fix: "run the command again", exitCode: EXIT.cancelled });
}

/** The text of anything that was thrown. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // `fetch failed` says nothing; its cause does.
  return error.cause instanceof Error && error.cause.message !== "" ? error.cause.message : error.message;
}
