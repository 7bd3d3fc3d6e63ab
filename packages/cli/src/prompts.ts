/** Questions to whoever sits at the terminal. They are asked on stderr: stdout is data. */

import { confirm, isCancel, select, text } from "@clack/prompts";

import { cancelled, usageError } from "./failure.ts";
import { isInteractive, type Io } from "./io.ts";
import { escapeUnsafe } from "./terminal-text.ts";

/** The flag of every command that asks before something is lost. */
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

  /** @param check says what is wrong with an answer; `undefined`: nothing. */
  async text(message: string, initial: string, check: (value: string) => string | undefined): Promise<string> {
    const validate = (value: string | undefined) => check((value ?? "").trim());
    return answered(await text({ ...this.#streams, message, initialValue: initial, validate })).trim();
  }

  async select<Value extends string>(
    message: string,
    options: readonly Choice<Value>[],
    initialValue: Value,
  ): Promise<Value> {
    // Labels are names of accounts and the like: somebody else's text.
    const shown = options.map((option) => ({ ...option, label: escapeUnsafe(option.label) }));
    const found = await select<string>({ ...this.#streams, message, options: shown, initialValue });
    return answered(found) as Value;
  }
}

/**
 * Asks before something is lost for good.
 * @throws CliError when the answer is no, or when there is nobody to ask and no `--yes`.
 */
export async function confirmLoss(io: Io, question: string, isAgreed: boolean): Promise<void> {
  if (isAgreed) return;
  if (!isInteractive(io))
    throw usageError(`${question} There is no terminal to ask on.`, "add --yes to skip the confirmation");
  if (!(await new Prompts(io).confirm(question, false))) throw cancelled("Nothing was changed.");
}

function answered<Value>(answer: Value): Exclude<Value, symbol> {
  if (isCancel(answer)) throw cancelled();
  return answer as Exclude<Value, symbol>;
}
