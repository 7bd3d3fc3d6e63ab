/** The server on workerd. `node-engine.ts` is the one in this process. */

import { resolve } from "node:path";

import { checkAlarmFiles } from "./alarm-files.ts";
import { formatExposureWarning, formatUrl } from "./banner.ts";
import { sweepBlobs } from "./blob-sweep.ts";
import { claimDataVersion } from "./data-version.ts";
import { formatOpenDirectoryWarning } from "./directory.ts";
import { freeReserve } from "./disk-space.ts";
import { removeEmptyObjects } from "./empty-objects.ts";
import { claimEngine } from "./engine.ts";
import { EXIT, Failure } from "./failure.ts";
import { formatIgnoredEnvironment } from "./ignored-environment.ts";
import { lockDataDir } from "./lock.ts";
import { METRICS_HOST, serveMetrics, workerdMetrics, type MetricsServer } from "./metrics.ts";
import { missingRuntime } from "./missing-runtime.ts";
import { DRAIN_MS_DEFAULT, PORT_DEFAULT, type LocalServer, type ServerOptions } from "./options.ts";
import { reservePort } from "./port.ts";
import { endOrphan } from "./process-record.ts";
import { formatUnreadyWarning, waitUntilReady } from "./ready.ts";
import type { Runtime } from "./runtime.ts";
import { formatImpliedAuthMode, localSettings, refuseUnmeantExposure } from "./settings.ts";
import { keepSignals } from "./signals.ts";
import { checkSystem, formatFewFilesWarning } from "./system.ts";
import type { WorkerBundle } from "./worker-bundle.ts";

const READY_LIMIT_MS = 15_000;

/** @throws Failure where workerd is not installed: the engine node does not need it. */
async function loadRuntime(): Promise<typeof import("./runtime.ts")> {
  try {
    return await import("./runtime.ts");
  } catch (error) {
    throw missingRuntime(error) ?? error;
  }
}

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
  if (options.tls !== undefined) {
    throw new Failure(
      "The engine workerd speaks plain HTTP.",
      "use the engine node, or put a proxy in front",
      EXIT.usage,
    );
  }
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
    const [bundle, { startRuntime }] = await Promise.all([loadWorker(), loadRuntime(), removeEmptyObjects(dataDir)]);
    const settings = localSettings({ configured: bundle.config.vars, given, environment, host });
    process.stderr.write(
      formatImpliedAuthMode({ given }, settings) +
        formatExposureWarning(host, settings) +
        formatOpenDirectoryWarning(dataDir) +
        formatIgnoredEnvironment(environment, given) +
        formatFewFilesWarning("workerd"),
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
