/** The server in this process, without workerd: what `--engine node` starts. */

import { Console } from "node:console";
import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

import { createServer, type RunningServer } from "@durable-streams-cloudflare/node";

import { formatExposureWarning, formatUrl } from "./banner.ts";
import { claimDataVersion } from "./data-version.ts";
import { formatOpenDirectoryWarning } from "./directory.ts";
import { DiskSpace } from "./disk-space.ts";
import { claimEngine } from "./engine.ts";
import { Failure } from "./failure.ts";
import { formatIgnoredEnvironment } from "./ignored-environment.ts";
import { lockDataDir } from "./lock.ts";
import { METRICS_HOST, nodeMetrics, serveMetrics, type MetricsServer } from "./metrics.ts";
import { reservePort } from "./port.ts";
import type { LocalServer, ServerOptions } from "./server.ts";
import { DRAIN_MS_DEFAULT, PORT_DEFAULT } from "./server.ts";
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
  // Stdout is for what the command was asked for.
  globalThis.console = new Console(process.stderr, process.stderr);
  refuseUnmeantExposure(host, { given, environment });
  const dataDir = resolve(options.dataDir);
  const disk = new DiskSpace(dataDir);
  if (existsSync(dataDir)) disk.keepReserve();
  const lock = lockDataDir(dataDir);
  let server: RunningServer | undefined;
  let metrics: MetricsServer | undefined;
  const stop = async (drainMs = DRAIN_MS_DEFAULT): Promise<void> => {
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
      mode: "file-durable",
      dataDir,
      host,
      port: publicPort,
      settings: settings as Readonly<Record<string, string>>,
      storage: new DiskStatus(
        () => ({ fetch: async () => ({ status: 200, json: () => disk.check() }) }),
        () => performance.now(),
      ),
      onFatal: (error) =>
        options.onFailure?.(
          new Failure(`The disk failed: ${String(error)}`, "check the disk, then start the server again"),
        ),
    }));
    if (metricsPort !== undefined) {
      metrics = await serveMetrics(
        metricsPort,
        nodeMetrics(() => running.metrics(), dataDir),
      );
    }
    const url = formatUrl(host, publicPort);
    lock.announce(url);
    return { url, metricsUrl: metrics?.url, dataDir, settings, stop };
  } catch (error) {
    await stop(0);
    throw error;
  }
}
