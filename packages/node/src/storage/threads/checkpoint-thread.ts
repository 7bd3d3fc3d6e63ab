/** The separate thread that moves pages from write-ahead logs into their databases: one for all databases of a server. */

import { extname } from "node:path";
import { Worker } from "node:worker_threads";

import { threadFlags } from "./thread-flags.ts";

export type CheckpointOutcome = "done" | "failed";

/** A request to the thread. */
export type CheckpointRequest = { readonly path: string } | "close";
/** The thread's answer to one request. */
export interface CheckpointAnswer {
  readonly path: string;
  readonly outcome: CheckpointOutcome;
}

export class CheckpointThread {
  /** Started for the first checkpoint. */
  #worker: Worker | undefined;
  /** Resolves when it has ended, also when it has failed. */
  #ended: Promise<unknown> | undefined;
  readonly #waiting = new Map<string, (outcome: CheckpointOutcome) => void>();
  readonly #onError: (error: unknown) => void;

  /** @param onError called when the thread has failed, which a retry cannot mend. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /**
   * Starts a checkpoint of a database. No other checkpoint of it may be in progress.
   * @param onDone called once, when the checkpoint has ended.
   */
  checkpoint(path: string, onDone: (outcome: CheckpointOutcome) => void): void {
    this.#waiting.set(path, onDone);
    this.#worker ??= this.#start();
    this.#worker.postMessage({ path } satisfies CheckpointRequest);
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    // Nothing else may keep the process alive now, and it must not end before the databases are closed.
    worker.ref();
    worker.postMessage("close" satisfies CheckpointRequest);
    await this.#ended;
  }

  #start(): Worker {
    const worker = new Worker(new URL(`./checkpoint-worker${extname(import.meta.url)}`, import.meta.url), {
      execArgv: threadFlags(),
    });
    worker.unref();
    this.#ended = new Promise((resolve) => worker.once("exit", resolve));
    worker.on("error", this.#onError);
    worker.on("message", ({ path, outcome }: CheckpointAnswer) => {
      const onDone = this.#waiting.get(path);
      this.#waiting.delete(path);
      onDone?.(outcome);
    });
    return worker;
  }
}
