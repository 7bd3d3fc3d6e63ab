/** The server in this process, without workerd: what `--engine node` starts. */

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

import { createServer, type RunningServer, type TlsOptions } from "@durable-streams-cloudflare/node";
import { readCertificate } from "@durable-streams-cloudflare/node/config";

import { formatExposureWarning, formatUrl } from "./banner.ts";
import { claimDataVersion } from "./data-version.ts";
import { formatOpenDirectoryWarning } from "./directory.ts";
import { DiskSpace, freeReserve } from "./disk-space.ts";
import { claimEngine } from "./engine.ts";
import { EXIT, Failure } from "./failure.ts";
import { formatIgnoredEnvironment } from "./ignored-environment.ts";
import { lockDataDir, type DataDirLock } from "./lock.ts";
import { METRICS_HOST, nodeMetrics, serveMetrics, type MetricsServer } from "./metrics.ts";
import { DRAIN_MS_DEFAULT, PORT_DEFAULT, type LocalServer, type ServerOptions } from "./options.ts";
import { reservePort } from "./port.ts";
import { formatRecovery } from "./recovery-line.ts";
import { formatImpliedAuthMode, localSettings, refuseUnmeantExposure } from "./settings.ts";
import { startFailure } from "./start-failure.ts";
import { formatFewFilesWarning } from "./system.ts";
import { DiskStatus } from "./worker/launcher.ts";

/** @throws Failure when the server cannot start: it says why, and what to do. */
export async function startNodeServer({
  host = "127.0.0.1",
  port = PORT_DEFAULT,
  settings: given = {},
  ...options
}: ServerOptions): Promise<LocalServer> {
  const { env: environment } = process;
  refuseUnmeantExposure(host, { given, environment });
  const { tls } = options;
  if (tls !== undefined) checkCertificate(tls);
  const { mode = "file-durable", ...storage } = options.storage ?? {};
  const disk = mode === "memory" ? undefined : new Disk(options.dataDir);
  let server: RunningServer | undefined;
  let metrics: MetricsServer | undefined;
  let isStopping = false;
  let failure: Failure | undefined;
  const stop = async (drainMs = DRAIN_MS_DEFAULT): Promise<void> => {
    isStopping = true;
    await server?.close(drainMs);
    metrics?.stop();
    disk?.release();
    // Nobody may take the end of a server whose disk failed for an orderly one.
    if (failure !== undefined) throw failure;
  };
  try {
    disk?.claim();
    const publicPort = await reservePort(host, port);
    const metricsPort =
      options.metricsPort === undefined
        ? undefined
        : await reservePort(METRICS_HOST, options.metricsPort, "--metrics-port", publicPort);
    const settings = localSettings({ configured: {}, given, environment, host });
    process.stderr.write(
      formatImpliedAuthMode({ given }, settings) +
        formatExposureWarning(host, settings) +
        (disk === undefined ? "" : formatOpenDirectoryWarning(disk.dataDir)) +
        formatFewFilesWarning("node") +
        formatIgnoredEnvironment(environment, given),
    );
    const running = (server = await createServer({
      storage: { ...storage, mode, dataDir: disk?.dataDir, status: disk?.status() },
      host,
      port: publicPort,
      tls,
      ...(options.telemetry === undefined ? {} : { telemetry: options.telemetry }),
      settings: settings as Readonly<Record<string, string>>,
      moreMetrics: nodeMetrics({ isUp: () => !isStopping, dataDir: disk?.dataDir }),
      onFatal: (error) => options.onFailure?.((failure = diskFailure(error))),
    }));
    process.stderr.write(formatRecovery(running.recovery));
    if (metricsPort !== undefined) metrics = await serveMetrics(metricsPort, () => running.allMetrics());
    const url = formatUrl(host, publicPort, tls === undefined ? "http" : "https");
    disk?.announce(url);
    return { url, metricsUrl: metrics?.url, dataDir: disk?.dataDir, settings, stop };
  } catch (error) {
    await stop(0);
    throw startFailure(disk?.dataDir, error);
  }
}

/** @throws Failure when a file of the certificate cannot be used. */
function checkCertificate(tls: TlsOptions): void {
  try {
    readCertificate(tls);
  } catch (error) {
    throw new Failure(
      error instanceof Error ? error.message : String(error),
      "correct tls.cert_path and tls.key_path; both files are in PEM, and this user must be able to read them",
      EXIT.usage,
    );
  }
}

/** The data directory of a server that stores on disk. */
class Disk {
  readonly dataDir: string;
  readonly #lock: DataDirLock;

  /** @throws Failure when the directory cannot be used, or another server uses it. */
  constructor(dataDir: string) {
    this.dataDir = resolve(dataDir);
    freeReserve(this.dataDir);
    this.#lock = lockDataDir(this.dataDir);
  }

  /** @throws Failure when the data in the directory is not this server's. */
  claim(): void {
    claimEngine(this.dataDir, "node");
    mkdirSync(join(this.dataDir, "tmp"), { recursive: true });
    claimDataVersion(this.dataDir);
  }

  announce(url: string): void {
    this.#lock.announce(url);
  }

  release(): void {
    this.#lock.release();
  }

  status(): DiskStatus {
    const space = new DiskSpace(this.dataDir);
    return new DiskStatus(
      () => ({ fetch: async () => ({ status: 200, json: () => space.check() }) }),
      () => performance.now(),
    );
  }
}

function diskFailure(error: unknown): Failure {
  return new Failure(`The disk failed: ${String(error)}`, "check the disk, then start the server again");
}
