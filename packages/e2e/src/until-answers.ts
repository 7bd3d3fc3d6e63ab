import { setTimeout as delay } from "node:timers/promises";

const LIMIT_MS = 30_000;
const POLL_MS = 50;

/** Returns when the URL is answered with a success. @throws Error when that takes too long. */
export async function untilAnswers(url: string): Promise<void> {
  for (const end = Date.now() + LIMIT_MS; Date.now() < end; await delay(POLL_MS)) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok === true) return;
  }
  throw new Error(`${url} did not answer.`);
}
