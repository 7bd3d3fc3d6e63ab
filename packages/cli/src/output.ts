import { once } from "node:events";

import { colors, wantsColors, type Colors } from "./colors.ts";
import { CliError, EXIT, type ExitCode } from "./failure.ts";
import { asInvoked } from "./help.ts";
import type { Io } from "./io.ts";
import { escapeUnsafe, SafeDecoder } from "./terminal-text.ts";

/** How the program was called, where that is not by its name. */
const INVOKED_AS = "DURABLE_STREAMS_INVOKED_AS";

export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  /** As with `--no-color`. */
  readonly isColorless?: boolean;
}

type Streams = Pick<Io, "stdout" | "stderr" | "env">;

/**
 * stdout is for data alone; whatever else there is to say goes to stderr. Data stays as it is where a program reads it; what a
 * terminal gets, and all that goes to stderr, has its control characters escaped, whoever the text is from.
 */
export class Output {
  readonly json: boolean;
  /** Of stderr. */
  readonly colors: Colors;
  readonly #quiet: boolean;
  readonly #io: Streams;
  /** `undefined`: stdout is no terminal. */
  readonly #safe: SafeDecoder | undefined;

  constructor(io: Streams, { json, quiet, isColorless = false }: OutputOptions) {
    this.#io = io;
    this.json = json;
    this.#quiet = quiet;
    this.#safe = io.stdout.isTTY === true ? new SafeDecoder() : undefined;
    this.colors = colors(!json && wantsColors(io.env, io.stderr.isTTY === true, isColorless));
  }

  /** A command's result: one line of JSON with `--json`, otherwise a text for people. */
  async result(facts: object, text: string): Promise<void> {
    await this.write(this.json ? `${JSON.stringify(facts)}\n` : ensureLine(text));
  }

  /** Data, as it is unless a terminal gets it. Waits while the reader of stdout is slow. */
  async write(data: string | Uint8Array): Promise<void> {
    const shown = this.#safe === undefined ? data : this.#safe.push(data);
    if (shown.length > 0 && !this.#io.stdout.write(shown)) await once(this.#io.stdout, "drain");
  }

  /** Something to know that is no data; not with `--quiet`. */
  note(text: string): void {
    this.painted(escapeUnsafe(text));
  }

  /** A note that has colours; the text of others in it must be escaped already. */
  painted(text: string): void {
    if (!this.#quiet) this.#io.stderr.write(ensureLine(asInvoked(text, this.#io.env[INVOKED_AS])));
  }

  /** Something that must be seen. */
  warn(text: string): void {
    this.#io.stderr.write(ensureLine(`${this.colors.yellow("!")} ${escapeUnsafe(text)}`));
  }

  /** Tells of a failure; the exit code that goes with it. */
  fail(error: unknown): ExitCode {
    const failure = error instanceof CliError ? error : mistake(error);
    const { code, message, why, requestId, exitCode } = failure;
    const fix = asInvoked(failure.fix, this.#io.env[INVOKED_AS]);
    const known = { ...(why === undefined ? {} : { why }), ...(requestId === undefined ? {} : { requestId }) };
    const facts = { error: { code, message, ...known, fix, exitCode } };
    this.#io.stderr.write(
      this.json
        ? `${escapeUnsafe(JSON.stringify(facts))}\n`
        : format({ code, message, why, requestId, fix }, this.colors),
    );
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

type Told = Pick<CliError, "message" | "code" | "why" | "requestId" | "fix">;

function format({ message, code, why, requestId, fix }: Told, { red, dim, cyan }: Colors): string {
  const reason = why === undefined ? "" : `  Why: ${escapeUnsafe(why)}\n`;
  const request =
    requestId === undefined ? "" : `  ${dim(`Request: ${escapeUnsafe(requestId)}, in the server's log`)}\n`;
  const what = `${red("✗")} ${escapeUnsafe(message)}  ${dim(`[${escapeUnsafe(code)}]`)}`;
  return `${what}\n${reason}${request}  ${cyan("Fix:")} ${escapeUnsafe(fix)}\n`;
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
