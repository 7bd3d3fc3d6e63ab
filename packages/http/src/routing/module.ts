/**
 * Defines a module: routes, and perhaps objects and settings of its own, that a host serves beside the server's. A module
 * imports `core` and `http` but no host; whoever composes a server lists its modules (docs/modules.md).
 */

import { ConfigError } from "@durable-streams-cloudflare/core/config";

import type { Objects } from "../ports.ts";
import type { ModulePorts } from "./edge-ports.ts";
import { checkBeside, checkModule } from "./module-checks.ts";
import { routesOf } from "./module-routes.ts";
import type { Bindings, Module, ModuleSpec, ObjectClass, ObjectClasses } from "./module-types.ts";

/**
 * Defines a module. The types of its handlers' arguments are inferred from its routes.
 * @throws ModuleError if the module is invalid, whatever server serves it.
 */
export function defineModule<
  const Classes extends ObjectClasses = Readonly<Record<never, ObjectClass>>,
  Config = undefined,
>(spec: ModuleSpec<Classes, Config>): Module {
  const { name, objects = {} } = spec;
  checkModule(spec);
  return {
    name,
    routes: routesOf(spec),
    bindings: Object.keys(objects),
    checkBeside: (others) => checkBeside(spec, others),
    portsOf: (env) => {
      const bindings = env as Bindings;
      return { config: spec.config?.(bindings), objects: objectsOf(spec, bindings) };
    },
  };
}

function objectsOf({ name, objects = {} }: ModuleSpec, bindings: Bindings): ModulePorts["objects"] {
  const found = Object.entries(objects).map(([binding, objectClass]) => {
    const namespace = bindings[binding] as Objects<object> | undefined;
    if (typeof namespace?.getByName !== "function") {
      throw new ConfigError(`Module ${name} needs the objects of class ${objectClass.name}, bound as ${binding}.`);
    }
    return [binding, namespace] as const;
  });
  return Object.fromEntries(found);
}
