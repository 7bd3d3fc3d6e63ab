import { existsSync } from "node:fs";
import { resolve } from "node:path";

import { checkAlarmFiles } from "./alarm-files.ts";
import { formatExposureWarning, formatUrl } from "./banner.ts";
import { sweepBlobs } from "./blob-sweep.ts";
import { claimDataVersion } from "./data-version.ts";
import { formatOpenDirectoryWarning } from "./directory.ts";
import { DiskSpace } from "./disk-space.ts";
import { removeEmptyObjects } from "./empty-objects.ts";
import { claimEngine } from "./engine.ts";
import { formatIgnoredEnvironment } from "./ignored-environment.ts";
import { lockDataDir } from "./lock.ts";
import { METRICS_HOST, serveMetrics, workerdMetrics, type MetricsServer } from "./metrics.ts";
import { reservePort } from "./port.ts";
import { endOrphan } from "./process-record.ts";
import { formatUnreadyWarning, waitUntilReady } from "./ready.ts";
import type { Runtime } from "./runtime.ts";
import { formatImpliedAuthMode, localSettings, refuseUnmeantExposure } from "./settings.ts";
import { keepSignals } from "./signals.ts";
import { checkSystem, formatFewFilesWarning } from "./system.ts";
import type { WorkerBundle } from "./worker-bundle.ts";

/** The options of `startServer`. */
export interface ServerOptions {
  /** The directory that holds the data; created when missing. */
  readonly dataDir: string;
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Port to listen on; default 4437. 0 picks a free one. */
  readonly port?: number | undefined;
  /** Settings of the server by name, as with `--var`. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** Serves `/metrics` for Prometheus on this port of 127.0.0.1; 0 picks a free one. Default: no metrics. */
  readonly metricsPort?: number | undefined;
  /** Called once if the server cannot go on: workerd cannot be kept running, or the disk failed. */
  readonly onFailure?: ((failure: Error) => void) | undefined;
}

/** A running server. */
export interface LocalServer {
  /** The server's URL, without a trailing slash. */
  readonly url: string;
  /** URL of the metrics page, if there is one. */
  readonly metricsUrl: string | undefined;
  readonly dataDir: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /**
   * Stops the server: it accepts no new connections, ends live reads between two events, and lets requests in flight continue.
   * @param drainMs how long they may continue; after that they are aborted. Default: 5 seconds.
   */
  stop(drainMs?: number): Promise<void>;
}

export const PORT_DEFAULT = 4437;
export const DRAIN_MS_DEFAULT = 5_000;
const READY_LIMIT_MS = 15_000;

/**
 * Starts the server and resolves when it accepts requests. A process can run one at a time, because workerd is configured
 * partly by the environment of the process.
 * @throws Failure when the server cannot start: it says why, and what to do.
 */
export async function startServer(
  { host = "127.0.0.1", port = PORT_DEFAULT, settings: given = {}, ...options }: ServerOptions,
  loadWorker: () => Promise<WorkerBundle>,
): Promise<LocalServer> {
  checkSystem();
  const { env: environment } = process;
  refuseUnmeantExposure(host, { given, environment });
  const dataDir = resolve(options.dataDir);
  freeReserve(dataDir);
  const lock = lockDataDir(dataDir);
  let runtime: Runtime | undefined;
  let metrics: MetricsServer | undefined;
  const stop = async (drainMs = DRAIN_MS_DEFAULT): Promise<void> => {
    await runtime?.stop(drainMs);
    metrics?.stop();
    lock.release();
  };
  try {
    await endOrphan(dataDir);
    claimEngine(dataDir, "workerd");
    claimDataVersion(dataDir);
    checkAlarmFiles(dataDir);
    sweepBlobs(dataDir);
    const publicPort = await reservePort(host, port);
    const metricsPort =
      options.metricsPort === undefined
        ? undefined
        : await reservePort(METRICS_HOST, options.metricsPort, "--metrics-port", publicPort);
    const restoreSignals = keepSignals();
    // Loading Miniflare takes half a second, so it comes after the checks and while the Worker is loaded.
    const [bundle, { startRuntime }] = await Promise.all([
      loadWorker(),
      import("./runtime.ts"),
      removeEmptyObjects(dataDir),
    ]);
    const settings = localSettings({ configured: bundle.config.vars, given, environment, host });
    process.stderr.write(
      formatImpliedAuthMode({ given }, settings) +
        formatExposureWarning(host, settings) +
        formatOpenDirectoryWarning(dataDir) +
        formatIgnoredEnvironment(environment, given) +
        formatFewFilesWarning(),
    );
    const onFailure = (failure: Error): void => options.onFailure?.(failure);
    const starting = startRuntime({ bundle, settings, host, port: publicPort, dataDir, onFailure });
    restoreSignals();
    runtime = await starting;
    const url = formatUrl(host, publicPort);
    await waitUntilReady(url, READY_LIMIT_MS);
    process.stderr.write(await formatUnreadyWarning(url));
    if (metricsPort !== undefined) metrics = await serveMetrics(metricsPort, workerdMetrics(runtime, dataDir));
    lock.announce(url);
    return { url, metricsUrl: metrics?.url, dataDir, settings, stop };
  } catch (error) {
    await stop(0);
    throw error;
  }
}

/** On a full disk, not even the lock could be written without the space of the reserve. */
export function freeReserve(dataDir: string): void {
  if (!existsSync(dataDir)) return;
  try {
    new DiskSpace(dataDir).keepReserve();
  } catch {
    // If the directory cannot be used at all, `lockDataDir` says so.
  }
}
