/** The objects of modules, as this host makes them: of the same classes as any other. */

import { ConfigError } from "@durable-streams-cloudflare/core/config";
import type { Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import type { ModuleKind } from "@durable-streams-cloudflare/core/kit/sql/table";
import { single, type Metric } from "@durable-streams-cloudflare/http/metrics/metric";
import { createObject } from "@durable-streams-cloudflare/http/modules/create-object";
import type { Module } from "@durable-streams-cloudflare/http/modules/module-types";
import type { ModuleObjectHost, ObjectClass } from "@durable-streams-cloudflare/http/modules/object-class";
import type { ModuleObjects } from "@durable-streams-cloudflare/http/modules/socket";
import type { ObjectPeers, ObjectRuntime } from "@durable-streams-cloudflare/http/objects/runtime";
import type { ModulePorts } from "@durable-streams-cloudflare/http/routing/edge-ports";

import type { Behaviour } from "./instance.ts";

/** Makes the stubs of one kind's objects, as whoever calls them uses them. */
export type ObjectsOf = (kind: ModuleKind) => ModuleObjects;

/** What this host supplies to an object. */
export interface ObjectParts {
  readonly runtime: ObjectRuntime;
  readonly peers: ObjectPeers;
  readonly sockets: ModuleObjectHost["sockets"];
}

interface ServedModule {
  readonly module: Module;
  readonly ports: Omit<ModulePorts, "objects">;
}

interface ServedClass extends ServedModule {
  readonly objectClass: ObjectClass;
}

/** The modules that a server has, with their settings. */
export class ServedModules {
  readonly #modules: readonly ServedModule[];
  readonly #classes: ReadonlyMap<string, ServedClass>;

  /** @throws ConfigError if a setting of a module is invalid. */
  constructor(modules: readonly Module[] = [], settings: object = {}) {
    this.#modules = modules.map((module) => ({ module, ports: portsOf(module, settings) }));
    this.#classes = new Map(
      this.#modules.flatMap((served) =>
        Object.values(served.module.objects).map((objectClass) => [
          objectClass.schema.kind,
          { ...served, objectClass },
        ]),
      ),
    );
  }

  /** The tables of their objects. */
  get schemas(): readonly Schema<ModuleKind>[] {
    return [...this.#classes.values()].map(({ objectClass }) => objectClass.schema);
  }

  /** Whether any of their objects has sockets. */
  get haveSockets(): boolean {
    return [...this.#classes.values()].some(({ objectClass }) => objectClass.sockets !== undefined);
  }

  /** What the handlers of each module use, by its name. */
  ports(objects: ObjectsOf): ReadonlyMap<string, ModulePorts> {
    return new Map(this.#modules.map((served) => [served.module.name, withObjects(served, objects)]));
  }

  /**
   * Creates an object.
   * @param objects the other objects of modules, as this one calls them.
   * @throws Error if no module has objects of the kind.
   */
  create(kind: ModuleKind, { runtime, peers, sockets }: ObjectParts, objects: ObjectsOf): Behaviour {
    const served = this.#classes.get(kind);
    if (served === undefined) throw new Error(`No module has objects of the kind ${kind}.`);
    const { objectClass } = served;
    const object = createObject(objectClass, runtime, peers, withObjects(served, objects), sockets);
    const { sockets: events } = object;
    const limits = objectClass.sockets;
    return {
      api: object.api,
      alarm: async () => object.alarm?.(),
      sockets: events && limits && { events, limits },
    };
  }

  /** The counters of all modules, and their sockets. */
  metrics(openSockets: number): readonly Metric[] {
    const value = this.haveSockets ? openSockets : undefined;
    const sockets = single("gauge", "durable_streams_sockets_open", "Number of open WebSockets.", value);
    return [sockets, ...this.#modules.flatMap(({ ports }) => ports.counts.metrics())];
  }
}

function withObjects({ module, ports }: ServedModule, objects: ObjectsOf): ModulePorts {
  const classes = Object.entries(module.objects);
  return {
    ...ports,
    objects: Object.fromEntries(classes.map(([binding, { schema }]) => [binding, objects(schema.kind)])),
  };
}

function portsOf(module: Module, settings: object): Omit<ModulePorts, "objects"> {
  try {
    return module.portsOf(settings, {});
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(`Module ${module.name}: ${error.message}`) : error;
  }
}
