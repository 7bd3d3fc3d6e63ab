/** Hostile senders in a separate process. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface HostileJob {
  /** What all senders do repeatedly. */
  readonly kind: "slow bodies" | "100 MB bodies" | "16 KB of headers" | "ordinary appends";
  readonly senders: number;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Runs `work` while the senders send. */
export async function whileHostile<Result>(job: HostileJob | undefined, work: () => Promise<Result>): Promise<Result> {
  if (job === undefined) return work();
  const child = fork(fileURLToPath(new URL("hostile-process.ts", import.meta.url)));
  const exited = once(child, "exit");
  try {
    child.send(job);
    await once(child, "message");
    return await work();
  } finally {
    child.kill("SIGKILL");
    await exited;
  }
}
