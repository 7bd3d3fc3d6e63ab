/** A server under load, in processes of its own. Scenarios know nothing of it but its URL. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

export interface Target {
  readonly url: string;
  /** The processes that it consists of. */
  pids(): readonly number[];
  stop(): Promise<void>;
}

export interface TargetKind {
  /** As it stands in tables. */
  readonly name: string;
  /** Left out when there is little time: it tells where time goes, not who is faster. */
  readonly isExtra?: boolean;
  /** @param dataDir an empty directory that is removed afterwards. */
  start(dataDir: string): Promise<Target>;
}

/** A server that is one process, and listens already. */
export function processTarget(url: string, child: ChildProcess): Target {
  const exited = once(child, "exit");
  return {
    url,
    pids: () => (child.pid === undefined ? [] : [child.pid]),
    stop: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
