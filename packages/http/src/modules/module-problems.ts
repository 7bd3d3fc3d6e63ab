/** The problems that a module refuses requests with, besides the server's. */

import type { Problem, ProblemKind, Refusal } from "@durable-streams-cloudflare/protocol";

/** A problem as a module declares it. By default, it is for good, and had no effects. */
export type DeclaredProblem = Pick<ProblemKind, "status" | "title"> & Partial<ProblemKind>;

/** What a refusal says besides its code. */
interface More {
  readonly hint?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the JSON body. */
  readonly members?: NonNullable<Problem["members"]>;
}

/** The problems of one module. */
export interface ModuleProblems<Name extends string = string> {
  readonly module: string;
  readonly kinds: Readonly<Record<string, ProblemKind>>;
  /** Refuses with a problem whose code is the module's name, a dot, and `name`. A refusal is returned, never thrown. */
  refuse(name: Name, detail: string, more?: More): Refusal;
}

/**
 * Declares the problems of a module, by names in lower-case letters, digits and dashes.
 * @example
 * const problems = defineProblems("tally", { full: { status: 409, title: "The tally is full" } });
 * return problems.refuse("full", "The tally has reached 1000.");
 */
export function defineProblems<Name extends string>(
  module: string,
  declared: Readonly<Record<Name, DeclaredProblem>>,
): ModuleProblems<Name> {
  const kinds = Object.fromEntries(
    Object.entries<DeclaredProblem>(declared).map(([name, own]): [string, ProblemKind] => [
      name,
      { retry: "never", effects: "none", ...own },
    ]),
  );
  return {
    module,
    kinds,
    refuse: (name, detail, more = {}) => {
      const kind = kinds[name];
      if (kind === undefined) throw new Error(`The module ${module} has no problem ${name}.`);
      return { ok: false, problem: { code: `${module}.${name}`, detail, kind, ...more } };
    },
  };
}
