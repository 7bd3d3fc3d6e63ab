import { describe, expect, it } from "vitest";

import type { DeclaredRoute } from "./route.ts";
import { methodsOf, Routes, type Found } from "./router.ts";
import { ROUTES } from "./table.ts";

const inPath = new Routes(ROUTES, "path");
const inSingle = new Routes(ROUTES, "single");

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
