import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { HELP, parseArguments, type Arguments } from "./arguments.ts";
import { formatBanner, formatExposureWarning, formatUrl } from "./banner.ts";
import { loadBundle } from "./bundle.ts";
import { EXIT, Failure, formatFailure } from "./failure.ts";
import { lockDataDir, type DataDirLock } from "./lock.ts";
import { npmAncestors, whenAnyEnds } from "./npm-ancestors.ts";
import { reservePort } from "./port.ts";
import { endOrphan } from "./process-record.ts";
import { waitUntilReady } from "./ready.ts";
import type { Runtime } from "./runtime.ts";
import { localSettings } from "./settings.ts";
import { takeSignals } from "./signals.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const READY_LIMIT_MS = 15_000;
/** With the rest of stopping, this keeps within the two seconds that the README promises. */
const DRAIN_MS = 1_500;
/** One Ctrl-C or closed terminal may arrive several times: from the kernel, from npm, and as the end of npm. */
const SAME_REQUEST_MS = 250;

let lock: DataDirLock | undefined;
let runtime: Runtime | undefined;
let stoppingSince: number | undefined;

async function start(args: Arguments): Promise<void> {
  const dataDir = resolve(args.dataDir ?? resolve(ROOT, ".data"));
  lock = lockDataDir(dataDir);
  await endOrphan(dataDir);
  const port = await reservePort(args.host, args.port);
  // Miniflare takes half a second to load: after the checks, and while the Worker is bundled.
  const [bundle, { startRuntime }] = await Promise.all([loadBundle(ROOT), import("./runtime.ts")]);
  const settings = localSettings(bundle.config.vars, args.variables);
  process.stderr.write(formatExposureWarning(args.host, settings));
  const starting = startRuntime({ bundle, settings, host: args.host, port, dataDir, onFailure: failUnlessStopping });
  takeSignals(onSignal); // Miniflare has just added listeners of its own.
  runtime = await starting;
  const url = formatUrl(args.host, port);
  await waitUntilReady(url, READY_LIMIT_MS);
  lock.announce(url);
  if (args.readyJson) process.stdout.write(`${JSON.stringify({ url, pid: process.pid, dataDir })}\n`);
  if (!args.quiet) process.stdout.write(formatBanner({ url, dataDir, settings }));
}

/** The first request to end is carried out in order, the second at once. */
function onSignal(): void {
  if (stoppingSince !== undefined) {
    if (performance.now() - stoppingSince > SAME_REQUEST_MS) process.exit(EXIT.interrupted);
    return;
  }
  stoppingSince = performance.now();
  stop().then(() => process.exit(EXIT.stopped), fail);
}

async function stop(): Promise<void> {
  await runtime?.stop(DRAIN_MS);
  lock?.release();
}

/** Once we are stopping, whatever breaks is a consequence of that. */
function failUnlessStopping(error: unknown): void {
  if (stoppingSince === undefined) fail(error);
}

/** workerd ends with this process, whatever its reason. */
function fail(error: unknown): void {
  const failure = error instanceof Failure ? error : undefined;
  process.stderr.write(failure ? formatFailure(failure) : `${error instanceof Error ? error.stack : String(error)}\n`);
  lock?.release();
  process.exit(failure?.exitCode ?? EXIT.failed);
}

takeSignals(onSignal);
whenAnyEnds(npmAncestors(), () => {
  if (stoppingSince === undefined) onSignal();
});
try {
  const args = parseArguments(process.argv.slice(2));
  if (args.help) process.stdout.write(HELP);
  else await start(args);
} catch (error) {
  failUnlessStopping(error);
}
