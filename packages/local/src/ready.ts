import { setTimeout as delay } from "node:timers/promises";

import { Failure } from "./failure.ts";

const POLL_MS = 25;

/** Waits until the Worker itself says that it can serve: that workerd listens does not mean that yet. */
export async function waitUntilReady(url: string, limitMs: number): Promise<void> {
  const end = performance.now() + limitMs;
  for (;;) {
    const answer = await ask(`${url}/readyz`);
    if (answer.isReady) return;
    if (performance.now() > end) {
      throw new Failure(
        `The server did not become ready within ${limitMs / 1000} s. GET /readyz: ${answer.text}`,
        "read the messages above; --var LOG_LEVEL:info shows every request",
      );
    }
    await delay(POLL_MS);
  }
}

async function ask(url: string): Promise<{ isReady: boolean; text: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    return { isReady: response.ok, text: `${response.status} ${(await response.text()).slice(0, 500)}` };
  } catch (error) {
    return { isReady: false, text: String(error) };
  }
}
