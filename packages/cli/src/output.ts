import { once } from "node:events";

import { CliError, EXIT, type ExitCode } from "./failure.ts";
import type { Io } from "./io.ts";

export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
}

/** stdout is for data alone; whatever else there is to say goes to stderr. */
export class Output {
  readonly json: boolean;
  readonly #quiet: boolean;
  readonly #io: Pick<Io, "stdout" | "stderr">;

  constructor(io: Pick<Io, "stdout" | "stderr">, { json, quiet }: OutputOptions) {
    this.#io = io;
    this.json = json;
    this.#quiet = quiet;
  }

  /** A command's result: one line of JSON with `--json`, otherwise a text for people. */
  async result(facts: object, text: string): Promise<void> {
    await this.write(this.json ? `${JSON.stringify(facts)}\n` : ensureLine(text));
  }

  /** Data as it is. Waits while the reader of stdout is slow. */
  async write(data: string | Uint8Array): Promise<void> {
    if (data.length > 0 && !this.#io.stdout.write(data)) await once(this.#io.stdout, "drain");
  }

  /** Something to know that is no data; not with `--quiet`. */
  note(text: string): void {
    if (!this.#quiet) this.#io.stderr.write(ensureLine(text));
  }

  /** Something that must be seen. */
  warn(text: string): void {
    this.#io.stderr.write(ensureLine(`! ${text}`));
  }

  /** Tells of a failure; the exit code that goes with it. */
  fail(error: unknown): ExitCode {
    const failure = error instanceof CliError ? error : mistake(error);
    const { code, message, why, fix, exitCode } = failure;
    const facts = { error: { code, message, ...(why === undefined ? {} : { why }), fix, exitCode } };
    this.#io.stderr.write(this.json ? `${JSON.stringify(facts)}\n` : format(failure));
    return exitCode;
  }
}

/** Columns for people. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (known, row) => row.map((cell, column) => Math.max(known[column] ?? 0, cell.length)),
    [],
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function format({ message, code, why, fix }: CliError): string {
  const reason = why === undefined ? "" : `  Why: ${why}\n`;
  return `✗ ${message}  [${code}]\n${reason}  Fix: ${fix}\n`;
}

function mistake(error: unknown): CliError {
  return new CliError(error instanceof Error ? (error.stack ?? error.message) : String(error), {
    code: "internal",
    fix: "report this with the command that you ran, without its secrets",
    exitCode: EXIT.failed,
  });
}

function ensureLine(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
