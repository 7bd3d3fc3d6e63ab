/** The route table, for tests that walk it. */
import type { DeclaredRoute } from "@durable-streams-cloudflare/http/routing/route";
import { methodsOf, Routes } from "@durable-streams-cloudflare/http/routing/router";
import { ROUTES } from "@durable-streams-cloudflare/http/routing/table";

export type Walked = DeclaredRoute & { readonly title: string };

export const WALKED: readonly Walked[] = ROUTES.map((route) => ({
  ...route,
  title: `${route.method} ${route.path}${route.parameters === undefined ? "" : `?${route.parameters.join("|")}`}`,
}));

/** A path of the route. @param names for its parts; `item` is for all that are not named. */
export function pathOf(
  { path, parameters }: DeclaredRoute,
  { item, ...names }: { readonly item: string } & Readonly<Record<string, string>>,
): string {
  const named = path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, (_, name: string) => names[name] ?? item);
  return parameters === undefined ? named : `${named}?${parameters.at(-1)}=${item}`;
}

const routes = new Routes(ROUTES, { tenancy: "path", streamRoot: "/v1/stream/" });

/** The methods that the server knows at a path, OPTIONS apart. */
export function methodsAt(path: string): readonly string[] {
  return methodsOf(routes.find({ url: `https://streams.example${path}` }));
}
