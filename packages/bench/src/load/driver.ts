/** The one way to put load on a target: a process of its own that sends plain HTTP. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import type { LoadJob, LoadResult } from "./job.ts";

export interface LoadDriver {
  /** @throws Error when any request is refused or fails: a load that does not arrive measures nothing. */
  run(job: LoadJob): Promise<LoadResult>;
  stop(): void;
}

type Message = { readonly result: LoadResult } | { readonly error: string };

export function startLoadDriver(): LoadDriver {
  const child = fork(fileURLToPath(new URL("process.ts", import.meta.url)));
  return {
    run: async (job) => {
      child.send(job);
      const [message] = (await once(child, "message")) as [Message];
      if ("error" in message) throw new Error(message.error);
      return message.result;
    },
    stop: () => child.disconnect(),
  };
}
