/** Checks, when the server starts, that a module is valid and fits together with the other modules. */

import { HEALTH, METRICS, READINESS } from "../paths/probe.ts";
import { overlaps } from "../routing/path-overlap.ts";
import type { DeclaredRoute } from "../routing/route.ts";
import { ESTUARY_ROOT, pathIn, PROJECTS_ROOT, STREAMS_ROOT } from "../routing/router.ts";
import { ModuleError } from "./module-error.ts";
import { checkParts, checkPartsBeside } from "./module-part-checks.ts";
import type { Module, ModuleSpec } from "./module-types.ts";

type SpecRoute = ModuleSpec["routes"][number];

const NAME = /^[a-z][a-z0-9-]{0,31}$/;
/** Plain segments, `:name` for one, and `:name{.+}` for all that are left. */
const PATH = /^(?:\/(?:[\w.~-]+|:\w+))*(?:\/:\w+\{\.\+\})?$/;
const BINDINGS = ["STREAMS", "PROJECTS", "CONSUMERS", "ESTUARIES", "SUBSCRIPTIONS"];

/** Paths that are the server's own, with whatever it may have below them one day. */
const RESERVED_PATHS: readonly string[] = [
  "/",
  ...[HEALTH, READINESS, METRICS, STREAMS_ROOT.slice(0, -1), PROJECTS_ROOT, ESTUARY_ROOT].flatMap((root) => [
    root,
    `${root}/:rest{.+}`,
  ]),
];

/**
 * Checks one module.
 * @throws ModuleError if the module is invalid, whatever server serves it.
 */
export function checkModule(spec: ModuleSpec): void {
  const { name, routes, objects = {} } = spec;
  if (!NAME.test(name)) refuse(`"${name}" is not the name of a module: use lower case letters, digits and dashes.`);
  const taken = Object.keys(objects).find((binding) => BINDINGS.includes(binding));
  if (taken !== undefined) refuse(`Module ${name}: the binding ${taken} belongs to the server.`);
  const known = [...BINDINGS, ...Object.keys(objects)];
  for (const each of routes) checkRoute(name, each, known);
  const twice = routes.find((one, index) => routes.slice(0, index).some((other) => isSameRoute(one, other)));
  if (twice !== undefined) refuse(`Module ${name} has ${twice.method} ${twice.path} twice.`);
  checkPaths({ name, routes }, RESERVED_PATHS, "the server");
  checkParts(spec);
}

/**
 * Checks one module against others.
 * @throws ModuleError if anything of the module conflicts with another module's: a name, a path, a binding, a setting, or a
 *   kind of objects.
 */
export function checkBeside(spec: ModuleSpec, others: readonly Module[]): void {
  const { name, routes, objects = {} } = spec;
  for (const other of others) {
    if (other.name === name) refuse(`There are two modules with the name ${name}.`);
    const shared = Object.keys(other.objects).find((binding) => binding in objects);
    if (shared !== undefined) refuse(`Module ${name}: the binding ${shared} belongs to module ${other.name}.`);
    const paths = other.routes.map(({ path }) => path);
    checkPaths({ name, routes }, paths, `module ${other.name}`);
    checkPartsBeside(spec, other);
  }
}

function checkRoute(name: string, { method, path, of, touches }: SpecRoute, known: readonly string[]): void {
  const isWrong = (why: string): never => refuse(`Module ${name}, ${method} ${path}: ${why}`);
  if (!PATH.test(path)) isWrong("a path has plain segments, :name for one, and :name{.+} for all that are left.");
  if (of !== "nothing" && !/\/:project(?:\/|$)/.test(path)) isWrong("the path must have /:project.");
  if (of === "stream" && !/\/:stream(?:\{\.\+\})?(?:\/|$)/.test(path)) isWrong("the path must have /:stream.");
  const unknown = touches.find((binding) => !known.includes(binding));
  if (unknown !== undefined)
    isWrong(`it touches ${unknown}, which is neither the server's nor in the module's objects.`);
}

function checkPaths(
  { name, routes }: Pick<ModuleSpec, "name" | "routes">,
  paths: readonly string[],
  owner: string,
): void {
  // A project is left out of the path where there is only one.
  for (const tenancy of ["path", "single"] as const) {
    const layout = { tenancy, streamRoot: STREAMS_ROOT };
    for (const { method, path } of routes) {
      const other = paths.find((one) => overlaps(pathIn(path, layout), pathIn(one, layout)));
      if (other !== undefined)
        refuse(`Module ${name}, ${method} ${path}: the path conflicts with ${other} of ${owner}.`);
    }
  }
}

function refuse(why: string): never {
  throw new ModuleError(why);
}

function isSameRoute(one: DeclaredRoute, other: DeclaredRoute): boolean {
  return one.method === other.method && one.path === other.path && one.parameters?.join() === other.parameters?.join();
}
