import { describe, expect, it } from "vitest";

import { parseTarget, parseTargetPath, rawPath, streamPathOf } from "./target.ts";

const ROOT = "https://host.example/v1/stream/";
const configOf = (tenancy: "path" | "single") => ({ tenancy, streamRoot: "/v1/stream/" });

function nameOf(path: string, tenancy: "path" | "single" = "path"): string {
  const target = parseTarget(ROOT + path, configOf(tenancy));
  return target.ok ? target.objectName : target.problem.code;
}

describe("tenancy path", () => {
  it.each([
    { path: "shop/orders", name: "shop/orders" },
    { path: "shop/a/b/c?offset=-1&x=/y", name: "shop/a/b/c" },
    { path: "shop/a#fragment", name: "shop/a" },
    { path: "shop/%61%2Fb", name: "shop/a/b" },
    { path: "shop/caf%C3%A9", name: "shop/café" },
    { path: "shop/cafe%CC%81", name: "shop/café" },
    { path: "shop/a%25b", name: "shop/a%b" },
    { path: "shop", name: "path-invalid" },
    { path: "", name: "path-invalid" },
    { path: "/orders", name: "path-invalid" },
    { path: "shop//orders", name: "path-invalid" },
    { path: "shop/orders/", name: "path-invalid" },
    { path: "shop/../other/orders", name: "path-invalid" },
    { path: "shop/%2e%2e/other", name: "path-invalid" },
    { path: "shop/.", name: "path-invalid" },
    { path: "shop%2F..%2Fother/x", name: "path-invalid" },
    { path: "shop/a%00b", name: "path-invalid" },
    { path: "shop/a%0Ab", name: "path-invalid" },
    { path: "shop/%E9", name: "path-invalid" },
    { path: "shop/%zz", name: "path-invalid" },
    { path: "shop/__ds", name: "path-reserved" },
    { path: "shop/__ds/x", name: "path-reserved" },
    { path: "shop/%5F%5Fds/x", name: "path-reserved" },
    { path: "__ds/x", name: "path-reserved" },
    { path: "shop/__ds2", name: "shop/__ds2" },
    { path: "shop/a/__ds", name: "shop/a/__ds" },
  ])("$path is $name", ({ path, name }) => {
    expect(nameOf(path)).toBe(name);
  });

  it("[SC4] a name has at most 400 bytes, counted in UTF-8", () => {
    expect(nameOf(`shop/${"x".repeat(395)}`)).toBe(`shop/${"x".repeat(395)}`);
    expect(nameOf(`shop/${"x".repeat(396)}`)).toBe("path-too-long");
    expect(nameOf(`shop/${"%C3%A9".repeat(198)}`)).toBe("path-too-long");
  });

  it("[IN16] a path has its project and its stream apart", () => {
    expect(parseTarget(`${ROOT}shop/a/b`, configOf("path"))).toMatchObject({ project: "shop", stream: "a/b" });
  });
});

describe("tenancy single", () => {
  it.each([
    { path: "orders", name: "default/orders" },
    { path: "a/b", name: "default/a/b" },
    { path: "", name: "path-invalid" },
    { path: "__ds", name: "path-reserved" },
    { path: "__ds/subscriptions/x", name: "path-reserved" },
  ])("$path is $name", ({ path, name }) => {
    expect(nameOf(path, "single")).toBe(name);
  });
});

it.each([
  { url: "https://host.example/a/../b?x#y", path: "/a/../b" },
  { url: "https://host.example", path: "/" },
  { url: "https://host.example/a%2F", path: "/a%2F" },
  { url: "https://host.example/a?next=https://other/", path: "/a" },
])("the raw path of $url is $path", ({ url, path }) => {
  expect(rawPath(url)).toBe(path);
});

it("another spelling of the root is not the root", () => {
  expect(parseTargetPath("/v1/%73tream/x", configOf("single"))).toMatchObject({
    ok: false,
    problem: { code: "route-not-found" },
  });
});

it.each(["a", "a/b", "ü/?#&% x", "%2e%2e/+"])("the path of the stream %j leads back to it", (stream) => {
  for (const [tenancy, project] of [
    ["path", "p"],
    ["single", "default"],
  ] as const)
    expect(parseTargetPath(streamPathOf(project, stream, configOf(tenancy)), configOf(tenancy))).toMatchObject({
      ok: true,
      project,
      stream,
    });
});

it("[SC17] the paths of streams begin with the root that is configured", () => {
  const config = { tenancy: "path", streamRoot: "/api/logs/" } as const;
  expect(streamPathOf("p", "a/b", config)).toBe("/api/logs/p/a/b");
  expect(parseTargetPath("/api/logs/p/a/b", config)).toMatchObject({ ok: true, objectName: "p/a/b" });
  expect(parseTargetPath("/api/logs/p", config)).toMatchObject({
    problem: { hint: "Use /api/logs/<project>/<stream>, or set TENANCY=single." },
  });
  expect(parseTargetPath("/v1/stream/p/a", config)).toMatchObject({ problem: { code: "route-not-found" } });
});
