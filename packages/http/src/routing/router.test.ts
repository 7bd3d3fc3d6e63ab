import { ConfigError, parseConfig } from "@durable-streams-cloudflare/core/config";
import { describe, expect, it } from "vitest";

import type { DeclaredRoute } from "./route.ts";
import { methodsOf, Routes, STREAMS_ROOT, type Found } from "./router.ts";
import { ROUTES } from "./table.ts";

const inPath = new Routes(ROUTES, { tenancy: "path", streamRoot: "/v1/stream/" });
const inSingle = new Routes(ROUTES, { tenancy: "single", streamRoot: "/v1/stream/" });

function find(path: string, routes = inPath): Found {
  return routes.find({ url: `https://streams.example${path}` });
}

function declaredAt(path: string, method: string, routes = inPath): Pick<DeclaredRoute, "path" | "needs"> | undefined {
  const found = find(path, routes).routes.get(method);
  return found === undefined ? undefined : { path: found.path, needs: found.needs };
}

describe("a path below the protocol's root", () => {
  it.each(["/v1/stream/p/__ds/jwks.json", "/v1/stream/p/%5F_ds/jwks.json", "/v1/stream/%70/__d%73/jwks%2Ejson"])(
    "is reserved in whatever notation: %s",
    (path) => {
      expect(declaredAt(path, "GET")).toEqual({ path: "/v1/stream/:project/__ds/jwks.json", needs: "nothing" });
      expect(find(path)).toMatchObject({ project: "p", target: undefined, isControl: true });
    },
  );

  it("names a stream of a project, or of the only one", () => {
    const target = { project: "p", stream: "a/b", objectName: "p/a/b" };
    expect(find("/v1/stream/p/a/b?x")).toMatchObject({ project: "p", target });
    expect(find("/v1/stream/a/b", inSingle)).toMatchObject({ project: "default", target: { stream: "a/b" } });
    expect(methodsOf(find("/v1/stream/p/a"))).toEqual(["GET", "HEAD", "POST", "PUT", "DELETE"]);
  });

  it("keeps slashes of a stream that a subscription names", () => {
    for (const name of ["a/b", "a%2Fb"]) {
      const { params } = find(`/v1/stream/p/__ds/subscriptions/x/streams/${name}`);
      expect(params).toMatchObject({ id: "x", stream: "a%2Fb" });
    }
  });

  it.each(["/v1/stream", "/v1/stream/", "/v1/stream/p", "/v1/stream/p/../x", "/v1/stream/p/__ds/nothing"])(
    "has no routes where it names nothing: %s",
    (path) => {
      const found = find(path);
      expect([found.routes.size, found.refusal?.ok]).toEqual([0, false]);
    },
  );
});

it("an empty id is an id that is refused, and no other path", () => {
  expect(declaredAt("/v1/stream/p/__ds/subscriptions/", "PUT")?.path).toBe(
    "/v1/stream/:project/__ds/subscriptions/:id",
  );
  expect(declaredAt("/v1/stream/p/__ds/subscriptions", "PUT")).toBeUndefined();
});

it("GET serves HEAD where no other route does, and nothing else is known that the table has not", () => {
  expect(methodsOf(find("/v1/projects/p/streams"))).toEqual(["GET", "HEAD"]);
  expect(methodsOf(find("/v1/projects/p/secrets"))).toEqual(["POST"]);
  expect(methodsOf(find("/healthz"))).toEqual(["GET", "HEAD"]);
  expect(methodsOf(find("/v1/stream/p/__registry__"))).toEqual(["GET", "HEAD"]);
});

it.each(["/v1/projects/", "/v1/projects/p/", "/v1/projects//streams", "/healthz/", "/v1/estuary/p/s/touch/", "/v1"])(
  "no route is at %s",
  (path) => {
    expect(methodsOf(find(path))).toEqual([]);
    expect(find(path).refusal?.problem.code).toBe("route-not-found");
  },
);

it.each([
  ["/v1/projects/p/nothing", "p"],
  ["/v1/projects/p/streams/", "p"],
  ["/v1/projects/p%2Fq/", "p%2Fq"],
  ["/v1/projects/", ""],
  ["/v1/projectsp/q", ""],
  ["/v1/nothing/p", ""],
])("a path without a route names the project below /v1/projects: %s", (path, project) => {
  for (const routes of [inPath, inSingle]) expect(find(path, routes)).toMatchObject({ project, target: undefined });
});

it("a parameter of the query chooses the route that has it", () => {
  const path = "/v1/estuary/subscribe/p/a/b";
  expect(declaredAt(path, "DELETE")?.needs).toBe("write");
  expect(declaredAt(`${path}?kid=k`, "DELETE")?.needs).toBe("manage");
  expect(methodsOf(find(`${path}?kid=k`))).toEqual(["DELETE"]);
});

it("the first of two paths that fit is meant", () => {
  const subscribe = "/v1/estuary/subscribe/:project/:stream{.+}";
  expect(declaredAt("/v1/estuary/subscribe/p/touch", "POST")?.path).toBe(subscribe);
  expect(declaredAt("/v1/estuary/subscribe/touch", "POST", inSingle)?.path).toBe(subscribe);
  expect(find("/v1/estuary/subscribe/p/a/b").params).toMatchObject({ project: "p", stream: "a/b" });
});

it("only one project needs no name, except among projects", () => {
  expect(find("/v1/estuary/s/touch", inSingle)).toMatchObject({ project: "default", params: { session: "s" } });
  expect(find("/v1/projects/p/streams", inSingle)).toMatchObject({ project: "p" });
});

describe("[SC17] STREAM_BASE_PATH", () => {
  const at = (base: string, table: readonly DeclaredRoute[] = ROUTES): Routes =>
    new Routes(table as typeof ROUTES, parseConfig({ STREAM_BASE_PATH: base }));

  it.each(["/streams", "/streams/", "/api/v2/logs", "/v1/streams", "/v1.0/~a-b_c"])("streams are below %s", (base) => {
    const root = `${base.replace(/\/$/, "")}/`;
    const routes = at(base);
    expect(find(`${root}p/a/b`, routes)).toMatchObject({ project: "p", target: { stream: "a/b" } });
    expect(declaredAt(`${root}p/__ds/jwks.json`, "GET", routes)?.needs).toBe("nothing");
    expect(declaredAt("/v1/projects", "GET", routes)?.path).toBe("/v1/projects");
    expect(find("/v1/stream/p/a", routes).refusal?.problem.detail).toBe(`The URLs of streams begin with ${root}.`);
  });

  it.each([
    "",
    "/",
    "streams",
    "/a//b",
    "/a/../b",
    "/.",
    "/a%20b",
    "/a b",
    "/:a",
    "/a?b",
    "/a#b",
    `/${"x".repeat(65)}`,
  ])("is refused where it is no plain path: %j", (base) =>
    expect(() => at(base)).toThrow("STREAM_BASE_PATH must be a path such as /v1/stream"),
  );

  const others = ROUTES.filter(({ path }) => !path.startsWith(STREAMS_ROOT)).map(({ path }) => path);
  // Whatever the parameters of a path are: a path without any, and those above a path with some.
  const taken = [...new Set(others.map((path) => path.replace(/\/:.*$/, "")))].filter((path) => path !== "/");

  it.each(["/v1", "/v1/", "/metrics", "/metrics/x", ...taken, ...taken.map((path) => `${path}/x`)])(
    "is refused where something else is: %s",
    (base) => expect(() => parseConfig({ STREAM_BASE_PATH: base })).toThrow(ConfigError),
  );

  it("is refused where a module has a route", () => {
    const route = { method: "GET", path: "/v1/tally/:project", needs: "nothing", touches: [] } as const;
    expect(() => at("/v1/tally", [...ROUTES, route])).toThrow("because the server has /v1/tally/:project there");
    expect(() => at("/v1/tally2", [...ROUTES, route])).not.toThrow();
  });
});
