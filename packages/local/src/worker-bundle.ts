import type { V4WorkerOptions } from "miniflare";

/** The configuration of wrangler.toml without its vars, in the form that Miniflare takes. */
export type WorkerOptions = Omit<
  V4WorkerOptions,
  "bindings" | "modules" | "modulesRoot" | "modulesRules" | "rootPath" | "script" | "scriptPath"
>;

export interface WorkerConfig {
  readonly options: WorkerOptions;
  /** The vars of wrangler.toml. */
  readonly vars: Readonly<Record<string, unknown>>;
}

export interface WorkerBundle {
  /** The one module that workerd loads. */
  readonly script: string;
  readonly config: WorkerConfig;
}
