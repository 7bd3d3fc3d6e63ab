/** The objects of a module on a host that calls objects by RPC: one method carries all calls. */

import { ConfigError } from "@durable-streams-cloudflare/core/config";

import { stubOf } from "../objects/stub.ts";
import type { Objects } from "../ports.ts";
import type { ModulePorts } from "../routing/edge-ports.ts";
import type { ObjectClasses } from "./module-types.ts";

/** An object of a module as the host's binding has it. */
export interface RemoteObject {
  /** Calls a method of the object by its name. */
  call(method: string, values: readonly unknown[]): Promise<unknown>;
}

/**
 * Finds the objects of a module among a host's bindings.
 * @throws ConfigError which says how to bind those that are missing.
 */
export function remoteObjects(name: string, classes: ObjectClasses, env: object): ModulePorts["objects"] {
  const bindings = env as Readonly<Record<string, Objects<RemoteObject> | undefined>>;
  const missing = Object.keys(classes).filter((binding) => typeof bindings[binding]?.getByName !== "function");
  if (missing.length > 0) throw new ConfigError(missing.map((binding) => howToBind(name, binding)).join("\n"));
  return Object.fromEntries(
    Object.keys(classes).map((binding): [string, Objects<object>] => [
      binding,
      {
        getByName: (object) =>
          stubOf((method, values) => {
            const namespace = bindings[binding];
            if (namespace === undefined) throw new Error(`The binding ${binding} has gone.`);
            return namespace.getByName(object).call(method, values);
          }),
      },
    ]),
  );
}

function howToBind(module: string, binding: string): string {
  return (
    `The module ${module} needs objects that are bound as ${binding}. In the Worker, export a class made by ` +
    `moduleObject(module, "${binding}"). In wrangler.toml, bind it as ${binding} below [[durable_objects.bindings]], ` +
    "and add it to new_sqlite_classes of a new migration."
  );
}
