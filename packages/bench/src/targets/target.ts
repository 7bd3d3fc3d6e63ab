/** A server under load, in processes of its own. Scenarios know only its URL. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

export interface Target {
  readonly url: string;
  /** Its processes. */
  pids(): readonly number[];
  stop(): Promise<void>;
}

export interface TargetKind {
  /** The name in tables. */
  readonly name: string;
  /** Whether it is left out with `--quick`: it shows where time is spent, not which server is faster. */
  readonly isExtra?: boolean;
  /** The same target as it is in another checkout of this repository. Absent where that makes no difference. */
  readonly inCheckout?: (root: string) => TargetKind;
  /** @param dataDir an empty directory that is removed afterwards. */
  start(dataDir: string): Promise<Target>;
}

/** A server that consists of one process and already listens. */
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
