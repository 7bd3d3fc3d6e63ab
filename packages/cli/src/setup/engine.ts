/** Plans the steps of a setup and carries them out. */

import { CliError, withFix } from "../failure.ts";
import type { Answers } from "./answers.ts";
import type { Progress } from "./progress.ts";
import type { State } from "./state.ts";
import { stepsFor } from "./steps.ts";
import type { World } from "./world.ts";

export interface PlannedStep {
  readonly step: string;
  readonly title: string;
  /** Whether the step is done, according to the folder alone. Carrying out the step checks again. */
  readonly status: "done" | "to do";
}

const RESUME_FIX = "then run the same command again to resume";

/** The steps that would be carried out, from local knowledge only. */
export function plan(answers: Answers, state: State | undefined): PlannedStep[] {
  return stepsFor(answers).map(({ id, title }) => ({
    step: id,
    title: title(answers),
    status: state?.done.includes(id) === true ? "done" : "to do",
  }));
}

/** Carries out the steps that are not done yet. If interrupted, the next run resumes. */
export async function act(world: World, progress: Progress): Promise<void> {
  const { answers } = world.store.state;
  for (const step of stepsFor(answers)) {
    world.io.signal.throwIfAborted();
    const title = step.title(answers);
    let wasDone = false;
    await progress
      .during(title, step.isLong === true, async () => {
        wasDone = await step.check(world);
        if (!wasDone) await step.act(world);
        return wasDone;
      })
      .catch((error: unknown) => {
        throw error instanceof CliError ? withFix(error, RESUME_FIX) : error;
      });
    world.store.markDone(step.id);
    const line = { step: step.id, status: wasDone ? "was done" : "done" };
    if (world.output.json) await world.output.write(`${JSON.stringify(line)}\n`);
  }
}
