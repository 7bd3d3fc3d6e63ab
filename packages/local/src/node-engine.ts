/** The server in this process, without workerd: what `--engine node` starts. */

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

import { createServer, type RunningServer } from "@durable-streams-cloudflare/node";

import { formatExposureWarning, formatUrl } from "./banner.ts";
import { claimDataVersion } from "./data-version.ts";
import { formatOpenDirectoryWarning } from "./directory.ts";
import { DiskSpace, freeReserve } from "./disk-space.ts";
import { claimEngine } from "./engine.ts";
import { Failure } from "./failure.ts";
import { formatIgnoredEnvironment } from "./ignored-environment.ts";
import { lockDataDir } from "./lock.ts";
import { METRICS_HOST, nodeMetrics, serveMetrics, type MetricsServer } from "./metrics.ts";
import { DRAIN_MS_DEFAULT, PORT_DEFAULT, type LocalServer, type ServerOptions } from "./options.ts";
import { reservePort } from "./port.ts";
import { formatRecovery } from "./recovery-line.ts";
import { formatImpliedAuthMode, localSettings, refuseUnmeantExposure } from "./settings.ts";
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
  const dataDir = resolve(options.dataDir);
  freeReserve(dataDir);
  const lock = lockDataDir(dataDir);
  let server: RunningServer | undefined;
  let metrics: MetricsServer | undefined;
  let isStopping = false;
  const stop = async (drainMs = DRAIN_MS_DEFAULT): Promise<void> => {
    isStopping = true;
    await server?.close(drainMs);
    metrics?.stop();
    lock.release();
  };
  try {
    claimEngine(dataDir, "node");
    mkdirSync(join(dataDir, "tmp"), { recursive: true });
    claimDataVersion(dataDir);
    const publicPort = await reservePort(host, port);
    const metricsPort =
      options.metricsPort === undefined
        ? undefined
        : await reservePort(METRICS_HOST, options.metricsPort, "--metrics-port", publicPort);
    const settings = localSettings({ configured: {}, given, environment, host });
    process.stderr.write(
      formatImpliedAuthMode({ given }, settings) +
        formatExposureWarning(host, settings) +
        formatOpenDirectoryWarning(dataDir) +
        formatIgnoredEnvironment(environment, given),
    );
    const running = (server = await createServer({
      storage: { mode: "file-durable", dataDir, status: diskStatus(dataDir) },
      host,
      port: publicPort,
      settings: settings as Readonly<Record<string, string>>,
      onFatal: (error) => options.onFailure?.(diskFailure(error)),
    }));
    process.stderr.write(formatRecovery(running.recovery));
    if (metricsPort !== undefined) {
      const metricsText = nodeMetrics({ ofServer: () => running.metrics(), isUp: () => !isStopping, dataDir });
      metrics = await serveMetrics(metricsPort, metricsText);
    }
    const url = formatUrl(host, publicPort);
    lock.announce(url);
    return { url, metricsUrl: metrics?.url, dataDir, settings, stop };
  } catch (error) {
    await stop(0);
    throw damageOf(dataDir, error) ?? error;
  }
}

function diskStatus(dataDir: string): DiskStatus {
  const disk = new DiskSpace(dataDir);
  return new DiskStatus(
    () => ({ fetch: async () => ({ status: 200, json: () => disk.check() }) }),
    () => performance.now(),
  );
}

function diskFailure(error: unknown): Failure {
  return new Failure(`The disk failed: ${String(error)}`, "check the disk, then start the server again");
}

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** What to do about a database that SQLite cannot read. */
function damageOf(dataDir: string, error: unknown): Failure | undefined {
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : undefined;
  if (code !== SQLITE_CORRUPT && code !== SQLITE_NOTADB) return undefined;
  return new Failure(
    `The database ${join(dataDir, "streams.sqlite")} is damaged. It holds all streams.`,
    "restore a backup into another directory: durable-streams restore ARCHIVE --data-dir DIR",
  );
}
