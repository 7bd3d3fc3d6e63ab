/** Logs how often the patience of those who share calls ran out: at 1, 2, 4, 8 … times, because each line is billed. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import { logWarning } from "@durable-streams-cloudflare/core/kit/log";

/** @param setting the one that turns the sharing off. */
export function impatienceLog({ logLevel }: Pick<Config, "logLevel">, setting: string): () => void {
  let count = 0;
  return () => {
    count += 1;
    if ((count & (count - 1)) !== 0) return;
    logWarning(
      logLevel,
      `Requests that share a call to an object have given up waiting for its leader ${count} times in this isolate. ` +
        `If this goes on, set ${setting}=off.`,
    );
  };
}
