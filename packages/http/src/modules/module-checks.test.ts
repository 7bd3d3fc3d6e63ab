/** What of a module does not fit, by itself or beside others, is refused when a server is made. */

import { integer, text } from "@durable-streams-cloudflare/core/kit/sql/column";
import { schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import { table, type ModuleKind } from "@durable-streams-cloudflare/core/kit/sql/table";
import { integer as number } from "@durable-streams-cloudflare/core/setting-kinds";
import { expect, it } from "vitest";

import { tally } from "../../test/modules/tally.ts";
import { composeRoutes } from "../routing/table.ts";
import { ModuleError } from "./module-error.ts";
import { defineProblems } from "./module-problems.ts";
import type { ModuleSetting } from "./module-settings.ts";
import type { Module, ModuleSpec } from "./module-types.ts";
import { defineModule } from "./module.ts";
import { defineObject, type ObjectClass } from "./object-class.ts";

type Routes = ModuleSpec["routes"];

const at = (path: string, more: object = {}): Routes[number] => ({
  method: "GET",
  path,
  of: "stream",
  needs: "read",
  touches: [],
  handle: async () => ({ ok: false, problem: { code: "internal", detail: "" } }),
  ...more,
});

const named = (name: string, routes: Routes = [], more: Partial<ModuleSpec> = {}): Module =>
  defineModule({ name, routes, ...more });
const FINE = "/v1/own/:project/:stream";

function objectsOf(kind: ModuleKind, tableName = "t"): ObjectClass {
  const own = table({ kind, name: tableName, columns: { id: text(), size: integer() }, key: ["id"] });
  return defineObject({ schema: schema({ kind, together: [own] }), create: () => ({ api: {} }) });
}
const with_ = (more: Partial<ModuleSpec>): Module => named("a", [], more);
const setting = (path = "a.size"): ModuleSetting => ({ ...number(1, 0, 2, "a size"), path });

it.each<[why: string, modules: () => readonly Module[]]>([
  ["conflicts with /v1/stream/:rest{.+} of the server", () => [named("a", [at("/v1/stream/:project/:stream")])]],
  ["conflicts with /v1/estuary/:rest{.+} of the server", () => [named("a", [at("/v1/estuary/:project/x/:stream")])]],
  ["conflicts with /v1/projects/:rest{.+} of the server", () => [named("a", [at("/v1/projects/:project/:stream")])]],
  ["conflicts with /healthz of the server", () => [named("a", [at("/healthz", { of: "nothing", needs: "nothing" })])]],
  ["conflicts with / of the server", () => [named("a", [at("/:project", { of: "project" })])]],
  [
    "conflicts with /v1/own/:project/:stream of module a",
    () => [named("a", [at(FINE)]), named("b", [at("/v1/own/:project/:stream{.+}")])],
  ],
  // With one project, it is the same path.
  [
    "conflicts with /v1/own/:project/:stream of module a",
    () => [named("a", [at(FINE)]), named("b", [at("/v1/own/:name", { of: "nothing", needs: "nothing" })])],
  ],
  ["Module a has GET /v1/own/:project/:stream twice", () => [named("a", [at(FINE), at(FINE)])]],
  ["two modules with the name a", () => [named("a"), named("a")]],
  ["is not the name of a module", () => [named("A b")]],
  ["the path must have /:project.", () => [named("a", [at("/v1/own/:stream")])]],
  ["the path must have /:stream.", () => [named("a", [at("/v1/own/:project/x")])]],
  ["a path has plain segments", () => [named("a", [at("/v1/own/:project/:stream{[a-z]+}")])]],
  ["a path has plain segments", () => [named("a", [at("v1/own/:project/:stream")])]],
  ["it touches OTHERS", () => [named("a", [at(FINE, { touches: ["OTHERS"] })])]],
  [
    "the binding TALLIES belongs to module tally",
    () => [tally, named("b", [], { objects: { TALLIES: objectsOf("module_b") } })],
  ],
  ["the binding STREAMS belongs to the server", () => [with_({ objects: { STREAMS: objectsOf("module_a") } })]],
  ["a binding has capital letters", () => [with_({ objects: { own: objectsOf("module_a") } })]],
  ["the kind must be module_ and a name", () => [with_({ objects: { OWN: objectsOf("module_a_b") } })]],
  ['"x y" is not the name of a table', () => [with_({ objects: { OWN: objectsOf("module_a", "x y") } })]],
  [
    "the kind module_a belongs to other objects of the module",
    () => [with_({ objects: { OWN: objectsOf("module_a"), TOO: objectsOf("module_a") } })],
  ],
  [
    "the kind of objects module_tally belongs to module tally",
    () => [tally, with_({ objects: { OWN: objectsOf("module_tally") } })],
  ],
  ["the name must begin with A_", () => [with_({ settings: { SIZE: setting() } })]],
  ["the path must be a table, a dot and a key", () => [with_({ settings: { A_SIZE: setting("size") } })]],
  [
    "the path server.tenancy is that of another setting",
    () => [with_({ settings: { A_S: setting("server.tenancy") } })],
  ],
  ["the path a.size is that of another", () => [with_({ settings: { A_SIZE: setting(), A_OTHER: setting() } })]],
  ["the default is not valid", () => [with_({ settings: { A_SIZE: { ...setting(), default: 9 } as ModuleSetting } })]],
  ["the setting A_SIZE belongs to module tally", () => [tally, with_({ settings: { A_SIZE: setting("tally.max") } })]],
  ["has the problems of module b", () => [with_({ problems: defineProblems("b", {}) })]],
  [
    '"Full" is not the name of a problem',
    () => [with_({ problems: defineProblems("a", { Full: { status: 409, title: "Full" } }) })],
  ],
  [
    "the status must be from 400 to 599",
    () => [with_({ problems: defineProblems("a", { full: { status: 200, title: "Full" } }) })],
  ],
  ['"Adds" is not the name of a counter', () => [with_({ counters: { Adds: "Number of adds." } })]],
])("%s", (why, modules) => {
  expect(() => composeRoutes(modules())).toThrow(ModuleError);
  expect(() => composeRoutes(modules())).toThrow(why);
});

it("every route of a module is in the table that is walked", () => {
  const added = composeRoutes([tally]).slice(composeRoutes([]).length);
  expect(added.map(({ method, needs }) => [method, needs])).toEqual(
    tally.routes.map(({ method, needs }) => [method, needs]),
  );
});
