/** Why traces and metrics cannot be exported as the server was asked to, and what to do about it. Nothing was opened. */
export class TelemetryError extends Error {
  override readonly name = "TelemetryError";
  /** What to do, as an instruction. */
  readonly fix: string;

  constructor(message: string, { fix, cause }: { readonly fix: string; readonly cause?: unknown }) {
    super(message, { cause });
    this.fix = fix;
  }
}
