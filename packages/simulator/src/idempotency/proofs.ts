/**
 * A call that may be made again, proven: it is sent, perhaps what it is about is deleted and made anew by somebody else, and it
 * is sent again. The second time must have no effect. Each trial begins in a world of its own, so that worlds with and without
 * the second call can be compared.
 */

import { describe, expect, it } from "vitest";

import type { METHODS, Repeatable } from "./methods.ts";

export interface Trial {
  readonly send: () => unknown;
  /** Somebody else deletes what the call is about, and makes it anew. */
  readonly replace: () => unknown;
  /** The same call once more, as its caller makes it. */
  readonly repeat?: () => unknown;
  /** Whatever the call may have changed, when what it has set going is at rest. Asked for once. */
  readonly outcome: () => unknown;
}

/** A proof for each call; the type tells of one that is missing. */
export type Proofs<Kind extends keyof typeof METHODS> = Readonly<
  Record<Repeatable<Kind>, () => Trial | Promise<Trial>>
>;

type Step = "send" | "replace" | "repeat";

export function prove(kind: string, proofs: Readonly<Record<string, () => Trial | Promise<Trial>>>): void {
  describe.each(Object.entries(proofs))(`the call %s of the object ${kind}`, (_name, begin) => {
    async function outcomeOf(...steps: readonly Step[]): Promise<unknown> {
      const trial = await begin();
      for (const step of steps) await (step === "repeat" ? (trial.repeat ?? trial.send) : trial[step])();
      return trial.outcome();
    }

    it("has an effect, and has it once when it is sent twice", async () => {
      const once = await outcomeOf("send");
      expect(once).not.toEqual(await outcomeOf());
      expect(await outcomeOf("send", "repeat")).toEqual(once);
    });

    it("[IN11] sent again when what it is about was created anew, has no effect", async () => {
      expect(await outcomeOf("send", "replace", "repeat")).toEqual(await outcomeOf("send", "replace"));
    });
  });
}
