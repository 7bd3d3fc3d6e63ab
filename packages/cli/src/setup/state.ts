/** Records what setup has done in a folder, so that it can be run again. Never contains secrets. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { CliError, reasonOf } from "../failure.ts";
import { writeAtomically } from "../files.ts";
import type { Answers } from "./answers.ts";

export const STATE_FILE = ".durable-streams.json";

/** Version of the file's format. */
const VERSION: number = 1;

export interface State {
  readonly version: number;
  readonly answers: Answers;
  /** Steps that have been completed at least once. */
  readonly done: readonly string[];
  /** For each file that setup wrote, the hash of the text. */
  readonly files: Readonly<Record<string, string>>;
  /** What setup created, and may remove. Recorded before it is created; what existed before is not included. */
  readonly made?: readonly string[];
  readonly namespaceId?: string;
  /** Hash of the files that were installed. */
  readonly installed?: string;
  /** Whether setup created the Worker of this name. Recorded before it is deployed for the first time. */
  readonly isOwner?: true;
  /** Hash of the files that were deployed. */
  readonly deployed?: string;
  readonly url?: string;
  /** Whether the current ADMIN_SECRET has been shown. */
  readonly isAdminSecretShown?: true;
  /** The project whose secret has been shown. */
  readonly shownProject?: string;
}

/** The state of a folder, written to disk after every change. */
export class StateStore {
  readonly folder: string;
  #state: State;

  private constructor(folder: string, state: State) {
    this.folder = folder;
    this.#state = state;
  }

  /** `undefined` if setup has not run in this folder. @throws CliError when the file cannot be read. */
  static read(folder: string): StateStore | undefined {
    const path = join(folder, STATE_FILE);
    try {
      const state = JSON.parse(readFileSync(path, "utf8")) as State;
      if (state.version !== VERSION) throw new Error(`Its version is not ${VERSION}.`);
      return new StateStore(folder, state);
    } catch (error) {
      if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) {
        return undefined;
      }
      throw new CliError(`${path} cannot be read.`, {
        code: "state-unreadable",
        why: reasonOf(error),
        fix: "use the version of this tool that wrote the file, or set up another folder",
      });
    }
  }

  /** Writes nothing to disk before the first change. */
  static begin(folder: string, answers: Answers): StateStore {
    return new StateStore(folder, { version: VERSION, answers, done: [], files: {} });
  }

  get state(): State {
    return this.#state;
  }

  update(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
    writeAtomically(join(this.folder, STATE_FILE), `${JSON.stringify(this.#state, undefined, 2)}\n`);
  }

  markMade(what: "bucket" | "namespace" | "queue"): void {
    const made = this.#state.made ?? [];
    if (!made.includes(what)) this.update({ made: [...made, what] });
  }

  markDone(step: string): void {
    if (!this.#state.done.includes(step)) this.update({ done: [...this.#state.done, step] });
  }
}
