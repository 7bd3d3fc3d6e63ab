/** A server with modules for the tests that run on both hosts. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { StreamClient } from "@durable-streams-cloudflare/http/client/stream-client";
import type { Module } from "@durable-streams-cloudflare/http/modules/module-types";
import type { ModuleObjects } from "@durable-streams-cloudflare/http/modules/socket";
import { ADMIN, TALLY_MAX, type ModuleService } from "@durable-streams-cloudflare/http/test/modules/module-suite";
import { vi } from "vitest";

import { createServer, type RunningServer } from "../create-server.ts";
import type { Instance } from "../objects/instance.ts";
import { LoadedInstances } from "../objects/loaded-instances.ts";
import { ServedModules, type ObjectsOf } from "../objects/module-objects.ts";
import { openSocket } from "./client-socket.ts";

const { call } = StreamClient.prototype as { readonly call: StreamClient["call"] };
const { ports } = ServedModules.prototype as { readonly ports: ServedModules["ports"] };
const { load } = LoadedInstances.prototype as { readonly load: LoadedInstances["load"] };

/** Serves modules from a data directory of its own. */
export async function serveModules(
  modules: readonly Module[],
  vars: Readonly<Record<string, string>> = {},
): Promise<ModuleService> {
  const dataDir = mkdtempSync(join(tmpdir(), "modules-"));
  const own = { TENANCY: "path", AUTH_MODE: "project", LOG_LEVEL: "off", ADMIN_SECRET: ADMIN };
  const settings = { ...own, TALLY_MAX: String(TALLY_MAX), ...vars };
  const open = (): Promise<RunningServer> =>
    createServer({ storage: { mode: "file-durable", dataDir }, modules, settings, port: 0 });
  const watched = watchObjects();
  const { calls, hibernate } = watched;
  let server = await open();
  return {
    calls,
    hibernate,
    fetch: (path, init) => fetch(server.url + path, init),
    upgrade: (path, headers) => openSocket(server.url + path, headers),
    restart: async () => {
      await server.close(0);
      server = await open();
    },
    close: async () => {
      await server.close(0);
      watched.unwatch();
      rmSync(dataDir, { recursive: true });
    },
  };
}

/** Watches all servers with modules of this process. */
const watch = { users: 0, calls: 0, loaded: new Set<Instance>() };

/** Counts what the edge asks of objects, and takes those of modules out of memory, as the host does when there are too many. */
function watchObjects(): Pick<ModuleService, "calls" | "hibernate"> & { readonly unwatch: () => void } {
  if ((watch.users += 1) === 1) patch();
  return {
    calls: () => {
      const before = watch.calls;
      watch.calls = 0;
      return before;
    },
    hibernate: () =>
      vi.waitFor(
        () => {
          for (const instance of watch.loaded) {
            if (!instance.isIdle && !instance.storage.isOver) throw new Error("An object is in use.");
            instance.storage.end();
            watch.loaded.delete(instance);
          }
        },
        { timeout: 20_000 },
      ),
    unwatch: () => {
      if ((watch.users -= 1) > 0) return;
      Object.assign(StreamClient.prototype, { call });
      Object.assign(ServedModules.prototype, { ports });
      Object.assign(LoadedInstances.prototype, { load });
      watch.loaded.clear();
    },
  };
}

/** Not by `vi`: tests restore what that has replaced while the servers are still used. */
function patch(): void {
  Object.assign(StreamClient.prototype, {
    call(this: StreamClient, ...parameters: Parameters<StreamClient["call"]>) {
      watch.calls += 1;
      return call.apply(this, parameters);
    },
  });
  Object.assign(ServedModules.prototype, {
    ports(this: ServedModules, objects: ObjectsOf) {
      return ports.call(this, (kind) => counted(objects(kind)));
    },
  });
  Object.assign(LoadedInstances.prototype, {
    load(this: LoadedInstances, key: string, create: () => Instance) {
      const instance = load.call(this, key, create);
      if (key.startsWith("module_")) watch.loaded.add(instance);
      return instance;
    },
  });
}

function counted(objects: ModuleObjects): ModuleObjects {
  return {
    getByName: (name) => {
      watch.calls += 1;
      return objects.getByName(name);
    },
    connect: (name, opening) => {
      watch.calls += 1;
      return objects.connect(name, opening);
    },
  };
}
