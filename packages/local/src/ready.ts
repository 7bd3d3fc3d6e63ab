import { setTimeout as delay } from "node:timers/promises";

import { Failure } from "./failure.ts";

const POLL_MS = 25;

/**
 * Waits until the Worker itself says that it runs: that workerd listens does not mean that yet. Whether it can store anything
 * is another matter: on a full disk it starts as well, so that something can be deleted.
 */
export async function waitUntilReady(url: string, limitMs: number): Promise<void> {
  const end = performance.now() + limitMs;
  for (;;) {
    const answer = await ask(`${url}/healthz`);
    if (answer.isWell) return;
    if (performance.now() > end) {
      throw new Failure(
        `The server did not become ready within ${limitMs / 1000} s. GET /healthz: ${answer.text}`,
        "read the messages above; --var LOG_LEVEL:info shows every request",
      );
    }
    await delay(POLL_MS);
  }
}

/** Empty unless the Worker says that it cannot store anything. */
export async function formatUnreadyWarning(url: string): Promise<string> {
  const answer = await ask(`${url}/readyz`);
  return answer.isWell ? "" : `! The server runs, but is not ready. GET /readyz: ${answer.text}\n`;
}

async function ask(url: string): Promise<{ isWell: boolean; text: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    return { isWell: response.ok, text: `${response.status} ${(await response.text()).slice(0, 500)}` };
  } catch (error) {
    return { isWell: false, text: String(error) };
  }
}
