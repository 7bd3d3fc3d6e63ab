/**
 * The route table: every route of the server, the right that it needs, the objects that it may call, and its handler. Requests
 * are dispatched by this table, and tests check every row of it.
 */

import type { Module } from "../modules/module-types.ts";
import { ESTUARY_ROUTES } from "../routes/estuaries.ts";
import { HOME_ROUTES } from "../routes/home.ts";
import { PROBE_ROUTES } from "../routes/probes.ts";
import { PROJECT_ROUTES } from "../routes/projects.ts";
import { STREAM_ROUTES } from "../routes/streams.ts";
import { SUBSCRIPTION_ROUTES } from "../routes/subscriptions.ts";
import type { Route } from "./route.ts";

/** The routes of the server without modules. */
export const ROUTES: readonly Route[] = [
  ...HOME_ROUTES,
  ...PROBE_ROUTES,
  ...STREAM_ROUTES,
  ...SUBSCRIPTION_ROUTES,
  ...PROJECT_ROUTES,
  ...ESTUARY_ROUTES,
];

/**
 * Composes the route table of a server with modules.
 * @param ofHost the routes of the server's host.
 * @throws ModuleError if the modules do not fit together.
 */
export function composeRoutes(modules: readonly Module[], ofHost: readonly Route[] = []): readonly Route[] {
  modules.forEach((module, index) => module.checkBeside(modules.slice(0, index)));
  return [...ROUTES, ...ofHost, ...modules.flatMap(({ routes }) => routes)];
}
