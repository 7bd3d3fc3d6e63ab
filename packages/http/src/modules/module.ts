/**
 * Defines a module: routes, and perhaps objects, settings, problems and counters of its own, that a host serves beside the
 * server's. A module imports `core` and `http` but no host; whoever composes a server lists its modules (docs/modules.md).
 */

import { checkBeside, checkModule } from "./module-checks.ts";
import { ModuleCounts } from "./module-counts.ts";
import { routesOf } from "./module-routes.ts";
import { valuesIn, type ModuleSettings } from "./module-settings.ts";
import type { Module, ModuleSpec, ObjectClasses } from "./module-types.ts";
import { remoteObjects } from "./remote-objects.ts";

type NoObjects = Readonly<Record<never, never>>;

/**
 * Defines a module. The types of its handlers' arguments are inferred from its settings and objects.
 * @throws ModuleError if the module is invalid, whatever server serves it.
 */
export function defineModule<
  const Classes extends ObjectClasses = NoObjects,
  const Settings extends ModuleSettings = NoObjects,
>(spec: ModuleSpec<Classes, Settings>): Module {
  // Handlers are called with what they are typed for: `portsOf` makes it from the same declarations.
  const general = spec as unknown as ModuleSpec;
  const { name, objects = {}, settings = {}, problems, counters = {} } = general;
  checkModule(general);
  return {
    name,
    routes: routesOf(general),
    objects,
    settings,
    problems: problems?.kinds ?? {},
    checkBeside: (others) => checkBeside(general, others),
    portsOf: (env, own) => ({
      settings: valuesIn(settings, env),
      objects: own ?? remoteObjects(name, objects, env),
      counts: new ModuleCounts(name, counters),
    }),
  };
}
