/** Creates an object of a module, from what a host supplies. */

import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { wallMs } from "@durable-streams-cloudflare/core/kit/time/clock";

import type { ObjectPeers, ObjectRuntime } from "../objects/runtime.ts";
import type { Objects } from "../ports.ts";
import type { ModulePorts } from "../routing/edge-ports.ts";
import type { ModuleObject, ModuleObjectHost, ObjectClass } from "./object-class.ts";

/**
 * Creates an object.
 * @param own the settings, objects and counters of its module, as this object uses them.
 * @param sockets lists the object's open sockets.
 */
export function createObject(
  objectClass: ObjectClass,
  runtime: ObjectRuntime,
  peers: ObjectPeers,
  own: ModulePorts,
  sockets: ModuleObjectHost["sockets"],
): ModuleObject {
  return objectClass.create({
    ...runtime,
    settings: own.settings,
    peers,
    objects: <Api extends object>(binding: string) => {
      const objects = own.objects[binding];
      if (objects === undefined) throw new Error(`The module has no objects with the binding ${binding}.`);
      return objects as Objects<object> as Objects<Api>;
    },
    sockets,
    count: (name, by) => own.counts.add(name, by),
    now: wallMs,
    newId: () => crypto.randomUUID(),
    report: (message, error) => logFault(peers.config.logLevel, message, error),
  });
}
