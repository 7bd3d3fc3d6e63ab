import { setTimeout as delay } from "node:timers/promises";

import { CliError, EXIT } from "./failure.ts";

const TRIES = 8;
const FIRST_DELAY_MS = 200;
const DELAY_MS_MAX = 5_000;

/** Retries while the server is unavailable. Only for idempotent requests. @throws CliError */
export async function retryWhileUnavailable<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof CliError) || error.exitCode !== EXIT.unavailable || attempt + 1 >= TRIES) throw error;
      await delay(Math.min(FIRST_DELAY_MS * 2 ** attempt, DELAY_MS_MAX), undefined, { signal });
    }
  }
}
