import { setTimeout as delay } from "node:timers/promises";

import { Failure } from "./failure.ts";

const POLL_MS = 25;

/**
 * Waits until the Worker itself reports that it runs; workerd already listens before that. Whether the Worker can store
 * anything does not matter here: it also starts on a full disk, so that data can be deleted.
 */
export async function waitUntilReady(url: string, limitMs: number): Promise<void> {
  const end = performance.now() + limitMs;
  for (;;) {
    const answer = await ask(`${url}/healthz`);
    if (answer.isWell) return;
    if (performance.now() > end) {
      throw new Failure(
        `The server was not ready within ${limitMs / 1000} s. GET /healthz returned: ${answer.text}`,
        "read the messages above; --var LOG_LEVEL:info logs every request",
      );
    }
    await delay(POLL_MS);
  }
}

/** Empty unless the Worker reports that it cannot store anything. */
export async function formatUnreadyWarning(url: string): Promise<string> {
  const answer = await ask(`${url}/readyz`);
  return answer.isWell ? "" : `! The server is running but not ready. GET /readyz returned: ${answer.text}\n`;
}

async function ask(url: string): Promise<{ isWell: boolean; text: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    return { isWell: response.ok, text: `${response.status} ${(await response.text()).slice(0, 500)}` };
  } catch (error) {
    return { isWell: false, text: String(error) };
  }
}
