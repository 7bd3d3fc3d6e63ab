/** The Durable Objects of modules: a class is made of a module's class, for the Worker to export. */

import { createObject } from "@durable-streams-cloudflare/http/modules/create-object";
import { ModuleError } from "@durable-streams-cloudflare/http/modules/module-error";
import type { Module } from "@durable-streams-cloudflare/http/modules/module-types";
import type { ModuleObject, ObjectClass } from "@durable-streams-cloudflare/http/modules/object-class";
import type { RemoteObject } from "@durable-streams-cloudflare/http/modules/remote-objects";
import { callMethod } from "@durable-streams-cloudflare/http/objects/stub";
import { DurableObject } from "cloudflare:workers";

import { peersOf, runtimeOf, type ObjectEnv } from "./runtime.ts";

/** A class of Durable Objects for a module. */
export type ModuleObjectClass = new (
  context: DurableObjectState,
  env: ObjectEnv,
) => DurableObject<ObjectEnv> & RemoteObject;

/**
 * Makes the class of Durable Objects for a module's objects. The Worker exports it by a name that it keeps, and wrangler.toml
 * binds that name as `binding` (docs/modules.md).
 * @throws ModuleError if the module has no objects of that binding.
 * @example
 * export const TallyDO = moduleObject(tally, "TALLIES");
 * export default createDurableStreams({ modules: [tally] });
 */
export function moduleObject(module: Module, binding: string): ModuleObjectClass {
  const objectClass = module.objects[binding];
  if (objectClass === undefined) throw new ModuleError(`Module ${module.name} has no objects ${binding}.`);
  return objectsOf(module, objectClass);
}

function objectsOf(module: Module, objectClass: ObjectClass): ModuleObjectClass {
  return class extends DurableObject<ObjectEnv> implements RemoteObject {
    readonly #object: ModuleObject;

    constructor(context: DurableObjectState, env: ObjectEnv) {
      super(context, env);
      const runtime = runtimeOf(context, objectClass.schema);
      this.#object = createObject(objectClass, runtime, peersOf(env), module.portsOf(env));
    }

    async call(method: string, values: readonly unknown[]): Promise<unknown> {
      return callMethod(this.#object.api, method, values);
    }

    override async alarm(): Promise<void> {
      await this.#object.alarm?.();
    }
  };
}
