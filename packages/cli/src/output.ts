import { once } from "node:events";

import { colors, wantsColors, type Colors } from "./colors.ts";
import { CliError, EXIT, type ExitCode } from "./failure.ts";
import { asInvoked } from "./help.ts";
import type { Io } from "./io.ts";
import { escapeUnsafe, SafeDecoder } from "./terminal-text.ts";

/** How the program was run, if not by its name. */
const INVOKED_AS = "DURABLE_STREAMS_INVOKED_AS";

export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Set by `--no-color`. */
  readonly isColorless?: boolean;
}

type Streams = Pick<Io, "stdout" | "stderr" | "env">;

/**
 * Writes data to stdout and everything else to stderr. Data for a pipe or a file stays unchanged. On a terminal, and in
 * everything that goes to stderr, control characters are escaped, whatever the source of the text.
 */
export class Output {
  readonly json: boolean;
  /** The colours of stderr. */
  readonly colors: Colors;
  readonly #quiet: boolean;
  readonly #io: Streams;
  /** `undefined` if stdout is not a terminal. */
  readonly #safe: SafeDecoder | undefined;

  constructor(io: Streams, { json, quiet, isColorless = false }: OutputOptions) {
    this.#io = io;
    this.json = json;
    this.#quiet = quiet;
    this.#safe = io.stdout.isTTY === true ? new SafeDecoder() : undefined;
    this.colors = colors(!json && wantsColors(io.env, io.stderr.isTTY === true, isColorless));
  }

  /** Writes a command's result: one line of JSON with `--json`, otherwise the text. */
  async result(result: object, text: string): Promise<void> {
    await this.write(this.json ? `${JSON.stringify(result)}\n` : ensureLine(text));
  }

  /** Writes data, escaped only on a terminal. Waits while the reader of stdout is slow. */
  async write(data: string | Uint8Array): Promise<void> {
    const shown = this.#safe === undefined ? data : this.#safe.push(data);
    if (shown.length > 0 && !this.#io.stdout.write(shown)) await once(this.#io.stdout, "drain");
  }

  /** Writes a message that is not data, unless `--quiet` is given. */
  note(text: string): void {
    this.painted(escapeUnsafe(text));
  }

  /** Writes a message with colours; any foreign text in it must already be escaped. */
  painted(text: string): void {
    if (!this.#quiet) this.#io.stderr.write(ensureLine(asInvoked(text, this.#io.env[INVOKED_AS])));
  }

  /** Writes a warning, even with `--quiet`. */
  warn(text: string): void {
    this.#io.stderr.write(ensureLine(`${this.colors.yellow("!")} ${escapeUnsafe(text)}`));
  }

  /** Prints a failure. @returns its exit code. */
  fail(error: unknown): ExitCode {
    const failure = error instanceof CliError ? error : internalError(error);
    const { code, message, why, requestId, exitCode } = failure;
    const fix = asInvoked(failure.fix, this.#io.env[INVOKED_AS]);
    const known = { ...(why === undefined ? {} : { why }), ...(requestId === undefined ? {} : { requestId }) };
    const result = { error: { code, message, ...known, fix, exitCode } };
    this.#io.stderr.write(
      this.json
        ? `${escapeUnsafe(JSON.stringify(result))}\n`
        : format({ code, message, why, requestId, fix }, this.colors),
    );
    return exitCode;
  }
}

/** Formats rows as aligned columns. */
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

type Shown = Pick<CliError, "message" | "code" | "why" | "requestId" | "fix">;

function format({ message, code, why, requestId, fix }: Shown, { red, dim, cyan }: Colors): string {
  const reason = why === undefined ? "" : `  Why: ${escapeUnsafe(why)}\n`;
  const request =
    requestId === undefined ? "" : `  ${dim(`Request id: ${escapeUnsafe(requestId)} (in the server's log)`)}\n`;
  const what = `${red("✗")} ${escapeUnsafe(message)}  ${dim(`[${escapeUnsafe(code)}]`)}`;
  return `${what}\n${reason}${request}  ${cyan("Fix:")} ${escapeUnsafe(fix)}\n`;
}

function internalError(error: unknown): CliError {
  return new CliError(error instanceof Error ? (error.stack ?? error.message) : String(error), {
    code: "internal",
    fix: "this is a bug: report it with the command that you ran, but without secrets",
    exitCode: EXIT.failed,
  });
}

function ensureLine(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
