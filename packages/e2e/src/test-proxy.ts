/** Proxies and origins for the tests of a file, which end with them. */
import { existsSync } from "node:fs";
import type { RequestListener } from "node:http";

import { afterAll } from "vitest";

import { NGINX, startNginx, type NginxProxy } from "./nginx.ts";
import type { ProxySettings } from "./proxy-config.ts";
import { startRecordingOrigin, type Certificate, type RecordingOrigin } from "./recording-origin.ts";

export interface TestProxies {
  proxy(settings: ProxySettings, edit?: (config: string) => string): Promise<NginxProxy>;
  origin(listener?: RequestListener, certificate?: Certificate): Promise<RecordingOrigin>;
}

/** Whether there is an nginx; says aloud when there is none. */
export function hasNginx(): boolean {
  const isInstalled = existsSync(NGINX);
  if (!isInstalled) process.stderr.write(`\n!! ${NGINX} is not there: the proxy tests are SKIPPED.\n\n`);
  return isInstalled;
}

export function useProxies(): TestProxies {
  const started: { stop(): void | Promise<void> }[] = [];
  const keep = <Started extends (typeof started)[number]>(one: Started): Started => {
    started.push(one);
    return one;
  };
  afterAll(async () => {
    for (const one of started.toReversed()) await one.stop();
  });
  return {
    proxy: async (settings, edit) => keep(await startNginx(settings, edit)),
    origin: async (listener, certificate) => keep(await startRecordingOrigin(listener, certificate)),
  };
}
