import { chmodSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { parseConfig } from "@durable-streams-cloudflare/core/config";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";

import { askForMetrics, controlPath, endLiveReads } from "./control.ts";
import { Failure } from "./failure.ts";
import { launcherService } from "./launcher-service.ts";
import { logText } from "./log-text.ts";
import { OUTBOUND_NAME, outboundWorker } from "./outbound.ts";
import { endsWithin, processRecordPath, readProcessRecord } from "./process-record.ts";
import { sockets } from "./sockets.ts";
import { openObjectsMax } from "./system.ts";
import type { WorkerBundle } from "./worker-bundle.ts";
import { WORKER_NAME } from "./worker-name.ts";
import { WORKERD_PATH } from "./workerd-path.ts";

/** What running the Worker needs. */
export interface RuntimeOptions {
  readonly bundle: WorkerBundle;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  /** Called when workerd cannot be kept running; the runtime is unusable then. */
  readonly onFailure: (failure: Failure) => void;
}

/** A running workerd. */
export interface Runtime {
  /** How often workerd crashed and was restarted. */
  crashes(): number;
  /**
   * The Worker's counters, in Prometheus's format.
   * @throws Error while workerd does not answer.
   */
  metrics(): Promise<string>;
  /** Stops accepting requests, ends live reads, lets requests in flight finish within the given time, and ends workerd. */
  stop(drainMs: number): Promise<void>;
}

const GUARD = fileURLToPath(new URL("workerd-guard.sh", import.meta.url));

const CRASHES_MAX = 5;
const CRASH_WINDOW_MS = 60_000;

/** Starts workerd through Miniflare, which simulates the bindings (R2, KV, Queues, …) that workerd itself lacks. */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const temporaryDir = emptyTemporaryDir(options.dataDir);
  const control = controlPath(temporaryDir);
  delete process.env["DS_STOPPING"];
  process.env["TMPDIR"] = temporaryDir;
  process.env["MINIFLARE_WORKERD_PATH"] = executable(GUARD);
  process.env["DS_WORKERD"] = WORKERD_PATH;
  process.env["DS_CONTROL"] = control;
  process.env["DS_PROCESS_RECORD"] = processRecordPath(options.dataDir);
  const log = new RuntimeLog(options.onFailure);
  const crashes = new CrashCounter(options.onFailure);
  const miniflare = new Miniflare(miniflareOptions(options, log, crashes, control));
  await miniflare.ready.catch((error: unknown) => {
    throw explain(error, options.port);
  });
  return {
    crashes: () => crashes.total,
    metrics: () => askForMetrics(control),
    stop: async (drainMs) => {
      process.env["DS_STOPPING"] = "1";
      log.mute(); // Miniflare would report that workerd crashed.
      await endLiveReads(control).catch(() => undefined); // workerd has already ended, or has not started yet.
      await drain(options.dataDir, drainMs);
      await miniflare.dispose();
      rmSync(control, { force: true }); // Some tools cannot copy a directory with a socket in it.
    },
  };
}

function explain(error: unknown, port: number): unknown {
  switch (error instanceof Error && "code" in error ? error.code : undefined) {
    case "ERR_ADDRESS_IN_USE":
      return new Failure(`Another program has just taken port ${port}.`, "start again, or use another port: --port N");
    case "ERR_RUNTIME_FAILURE":
      return new Failure("workerd cannot run the Worker.", "read the messages above");
    default:
      return error;
  }
}

/** A copy of the repository may have lost the file's mode. */
function executable(path: string): string {
  if ((statSync(path).mode & 0o100) === 0) chmodSync(path, 0o755);
  return path;
}

/** Miniflare leaves temporary files behind when it is killed; the next start removes them here. */
function emptyTemporaryDir(dataDir: string): string {
  const path = join(dataDir, "tmp");
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { mode: 0o700 });
  return path;
}

/** Where Miniflare keeps the objects. The directory must exist before the runtime's service that serves it. */
function objectsDir(dataDir: string): string {
  const path = join(dataDir, "do");
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

function miniflareOptions(options: RuntimeOptions, log: Log, crashes: CrashCounter, control: string) {
  return convertV4MiniflareOptions({
    cf: false, // Otherwise Miniflare would fetch Request.cf from the internet.
    logRequests: false,
    log,
    handleStructuredLogs: ({ message }) => void process.stderr.write(logText(message)),
    resourcePersistencePath: options.dataDir,
    unsafeHandleRuntimeRestart: () => crashes.count(),
    workers: [
      {
        ...options.bundle.config.options,
        name: WORKER_NAME,
        modules: [{ type: "ESModule", path: "worker.js", contents: options.bundle.script }],
        bindings: { ...(options.settings as Record<string, string>), OPEN_OBJECTS_MAX: openObjectsMax() },
        serviceBindings: { LAUNCHER: launcherService(options.dataDir) },
        unsafeBindings: [sockets(options.host, options.port, control, objectsDir(options.dataDir))],
        outboundService: OUTBOUND_NAME,
      },
      outboundWorker(parseConfig(options.settings).outboundAddresses),
    ],
  });
}

/** On SIGTERM, workerd ends as soon as no request is in flight; Miniflare would simply kill it. */
async function drain(dataDir: string, drainMs: number): Promise<void> {
  const record = readProcessRecord(dataDir);
  if (record === undefined) return;
  signal(record.pid, "SIGTERM");
  // Otherwise its watcher would keep a socket of this process open, which would keep this process running.
  if (await endsWithin(record, drainMs)) signal(record.watcherPid, "SIGKILL");
}

function signal(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(pid, name);
  } catch {
    // The process has already ended.
  }
}

/** Miniflare restarts a crashed workerd at once; this gives up if it keeps crashing. */
class CrashCounter {
  readonly #onFailure: RuntimeOptions["onFailure"];
  #recentMs: number[] = [];
  total = 0;

  constructor(onFailure: RuntimeOptions["onFailure"]) {
    this.#onFailure = onFailure;
  }

  count(): void {
    const now = performance.now();
    this.total += 1;
    this.#recentMs = [...this.#recentMs.filter((at) => now - at < CRASH_WINDOW_MS), now];
    if (this.#recentMs.length < CRASHES_MAX) return;
    this.#onFailure(
      new Failure(
        `workerd crashed ${this.#recentMs.length} times within a minute.`,
        "read its last messages above, remove the cause and start again; no acknowledged data is lost",
      ),
    );
  }
}

/** Prints Miniflare's own warnings and errors on stderr. */
class RuntimeLog extends Log {
  readonly #onFailure: RuntimeOptions["onFailure"];
  #isMuted = false;

  constructor(onFailure: RuntimeOptions["onFailure"]) {
    super(LogLevel.WARN);
    this.#onFailure = onFailure;
  }

  mute(): void {
    this.#isMuted = true;
  }

  protected override log(message: string): void {
    if (!this.#isMuted) process.stderr.write(`${message}\n`);
  }

  override error(error: Error): void {
    if ("code" in error && error.code === "ERR_RUNTIME_FAILURE") {
      this.#onFailure(new Failure(error.message, "read the messages of workerd above"));
    } else {
      super.error(error);
    }
  }
}
