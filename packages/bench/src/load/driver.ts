/** Puts load on a target from separate processes that send plain HTTP. */
import { fork } from "node:child_process";
import { once } from "node:events";

import type { LiveJob, LiveResult, LoadJob, LoadResult } from "./job.ts";

interface Driver<Job, Result> {
  /** @throws Error when any request is refused or fails, because such a load would measure nothing. */
  run(job: Job): Promise<Result>;
  /** Ends the process, whatever it is doing. */
  stop(): void;
}

export type LoadDriver = Driver<LoadJob, LoadResult>;

/** A driver for requests in closed loops. */
export const startLoadDriver = (): LoadDriver => startDriver(new URL("process.ts", import.meta.url));

/** A driver for live readers and a writer with a fixed pace. */
export const startLiveDriver = (): Driver<LiveJob, LiveResult> =>
  startDriver(new URL("live-process.ts", import.meta.url));

type Message<Result> = { readonly result: Result } | { readonly error: string };

function startDriver<Job extends object, Result>(program: URL): Driver<Job, Result> {
  const child = fork(program);
  const exited = once(child, "exit").then(([code]) =>
    Promise.reject(new Error(`${program.pathname} ended: ${String(code)}`)),
  );
  exited.catch(() => undefined);
  return {
    run: async (job) => {
      child.send(job);
      const [message] = (await Promise.race([once(child, "message"), exited])) as [Message<Result>];
      if ("error" in message) throw new Error(message.error);
      return message.result;
    },
    stop: () => void child.kill("SIGKILL"),
  };
}
