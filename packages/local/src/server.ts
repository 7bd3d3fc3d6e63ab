import { existsSync } from "node:fs";
import { resolve } from "node:path";

import { checkAlarmFiles } from "./alarm-files.ts";
import { formatExposureWarning, formatUrl } from "./banner.ts";
import { sweepBlobs } from "./blob-sweep.ts";
import { claimDataVersion } from "./data-version.ts";
import { formatOpenDirectoryWarning } from "./directory.ts";
import { DiskSpace } from "./disk-space.ts";
import { removeEmptyObjects } from "./empty-objects.ts";
import { formatIgnoredEnvironment } from "./ignored-environment.ts";
import { lockDataDir } from "./lock.ts";
import { METRICS_HOST, serveMetrics, type MetricsServer } from "./metrics.ts";
import { reservePort } from "./port.ts";
import { endOrphan } from "./process-record.ts";
import { formatUnreadyWarning, waitUntilReady } from "./ready.ts";
import type { Runtime } from "./runtime.ts";
import { formatImpliedAuthMode, localSettings, refuseUnmeantExposure } from "./settings.ts";
import { keepSignals } from "./signals.ts";
import { checkSystem, formatFewFilesWarning } from "./system.ts";
import type { WorkerBundle } from "./worker-bundle.ts";

export interface ServerOptions {
  /** Where the data lives; created when missing. */
  readonly dataDir: string;
  /** Address to listen on; initially 127.0.0.1. */
  readonly host?: string | undefined;
  /** Initially 4437; 0 takes any free one. */
  readonly port?: number | undefined;
  /** Settings of the server by name, as `--var`. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** Serves `/metrics` for Prometheus on this port of 127.0.0.1; 0 takes any free one. Initially not at all. */
  readonly metricsPort?: number | undefined;
  /** Called once, when workerd cannot be kept running: the server is gone then. */
  readonly onFailure?: ((failure: Error) => void) | undefined;
}

export interface LocalServer {
  /** Without a slash at its end. */
  readonly url: string;
  /** Of Prometheus's page, if there is one. */
  readonly metricsUrl: string | undefined;
  readonly dataDir: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /**
   * Ends it: no new connections, live reads end between two events, and what is in flight may go on for a time.
   * @param drainMs how long; what remains then is cut off. Initially 5 seconds.
   */
  stop(drainMs?: number): Promise<void>;
}

export const PORT_DEFAULT = 4437;
export const DRAIN_MS_DEFAULT = 5_000;
const READY_LIMIT_MS = 15_000;

/**
 * Starts the server and returns when it can serve. One at a time in a process, since workerd is told some of its ways by
 * the environment.
 * @throws Failure when it cannot start: it says why, and what to do.
 */
export async function startServer(
  { host = "127.0.0.1", port = PORT_DEFAULT, settings: given = {}, ...options }: ServerOptions,
  loadWorker: () => Promise<WorkerBundle>,
): Promise<LocalServer> {
  checkSystem();
  const { env: environment } = process;
  refuseUnmeantExposure(host, { given, environment });
  const dataDir = resolve(options.dataDir);
  // On a full disk the lock itself could not be written.
  if (existsSync(dataDir)) new DiskSpace(dataDir).keepReserve();
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
    claimDataVersion(dataDir);
    checkAlarmFiles(dataDir);
    sweepBlobs(dataDir);
    const publicPort = await reservePort(host, port);
    const metricsPort =
      options.metricsPort === undefined
        ? undefined
        : await reservePort(METRICS_HOST, options.metricsPort, "--metrics-port", publicPort);
    const restoreSignals = keepSignals();
    // Miniflare takes half a second to load: after the checks, and while the Worker is loaded.
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
    if (metricsPort !== undefined) metrics = await serveMetrics(metricsPort, runtime, dataDir);
    lock.announce(url);
    return { url, metricsUrl: metrics?.url, dataDir, settings, stop };
  } catch (error) {
    await stop(0);
    throw error;
  }
}
