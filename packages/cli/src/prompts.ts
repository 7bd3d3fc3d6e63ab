/** Prompts on the terminal. They use stderr, because stdout is for data. */

import { confirm, isCancel, select, text } from "@clack/prompts";

import { cancelled, usageError } from "./failure.ts";
import { isInteractive, type Io } from "./io.ts";
import { escapeUnsafe } from "./terminal-text.ts";

/** The flag of every command that asks for confirmation before data is lost. */
export const YES = ["--yes", "skip the confirmation prompt"] as const;

export interface Choice<Value> {
  readonly value: Value;
  readonly label: string;
  readonly hint?: string;
}

export class Prompts {
  readonly #streams: { input: Io["stdin"]; output: Io["stderr"]; signal: AbortSignal };

  constructor({ stdin, stderr, signal }: Io) {
    this.#streams = { input: stdin, output: stderr, signal };
  }

  async confirm(message: string, initialValue: boolean): Promise<boolean> {
    return answered(await confirm({ ...this.#streams, message: escapeUnsafe(message), initialValue }));
  }

  /** @param check returns what is wrong with an answer, or `undefined` if it is valid. */
  async text(message: string, preset: string, check: (value: string) => string | undefined): Promise<string> {
    const validate = (value: string | undefined) => check((value ?? "").trim());
    return answered(await text({ ...this.#streams, message, initialValue: preset, validate })).trim();
  }

  async select<Value extends string>(
    message: string,
    options: readonly Choice<Value>[],
    initialValue: Value,
  ): Promise<Value> {
    // Labels contain foreign text, such as names of accounts.
    const shown = options.map((option) => ({ ...option, label: escapeUnsafe(option.label) }));
    const found = await select<string>({ ...this.#streams, message, options: shown, initialValue });
    return answered(found) as Value;
  }
}

/**
 * Asks for confirmation before data is lost.
 * @throws CliError when the answer is no, or when prompting is impossible and `--yes` is missing.
 */
export async function confirmLoss(io: Io, question: string, isConfirmed: boolean): Promise<void> {
  if (isConfirmed) return;
  if (!isInteractive(io))
    throw usageError(
      `Confirmation is needed, but there is no terminal. ${question}`,
      "add --yes to confirm without a prompt",
    );
  if (!(await new Prompts(io).confirm(question, false))) throw cancelled("Nothing was changed.");
}

function answered<Value>(answer: Value): Exclude<Value, symbol> {
  if (isCancel(answer)) throw cancelled();
  return answer as Exclude<Value, symbol>;
}
