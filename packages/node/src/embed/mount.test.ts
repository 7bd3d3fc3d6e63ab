import { describe, expect, it } from "vitest";

import type { NodeRequest } from "../http/incoming-request.ts";
import { mountOf, parseBasePath, removeBasePath } from "./mount.ts";

const BASE = "/api/streams";

it.each([
  ["/api/streams/v1/stream/a", "/v1/stream/a"],
  ["/api/streams/v1/stream/%2Fa/..%2f?offset=-1", "/v1/stream/%2Fa/..%2f?offset=-1"],
  ["/api/streams", "/"],
  ["/api/streams/", "/"],
  ["/api/streams?x=1", "/?x=1"],
  // A framework has removed the path already, or it is another path.
  ["/v1/stream/a", "/v1/stream/a"],
  ["/api/streams-old/a", "/api/streams-old/a"],
])("below the base path, %s asks for %s", (target, below) => {
  expect(removeBasePath(target, BASE)).toBe(below);
});

it.each([
  ["/api/streams", "/api/streams"],
  ["/api/streams/", "/api/streams"],
  ["/", ""],
  ["", ""],
])("the base path %j is understood as %j", (path, parsed) => {
  expect(parseBasePath(path)).toBe(parsed);
});

it.each(["api/streams", "/api//streams", "/api/streams?x", "/a b", "https://example.com/api", '/"<script>'])(
  "%j is refused as a base path, with an example of one",
  (path) => {
    expect(() => parseBasePath(path)).toThrow('basePath must be a path such as "/api/streams"');
  },
);

describe("where a request of Node.js is mounted", () => {
  const of = (message: object, basePath = ""): unknown => mountOf(message as NodeRequest, basePath);

  it("is told by basePath, whether or not a router has removed it", () => {
    const mounted = { mountPath: BASE, target: "/v1/stream/a?x" };
    expect(of({ url: "/api/streams/v1/stream/a?x" }, BASE)).toEqual(mounted);
    expect(of({ url: "/v1/stream/a?x", originalUrl: "/api/streams/v1/stream/a?x" }, BASE)).toEqual(mounted);
    expect(of({ url: "/v1/stream/a?x" }, BASE)).toEqual(mounted);
    expect(of({ url: "http://host:1/api/streams/v1/stream/a?x" }, BASE)).toEqual(mounted);
  });

  it("is told once, where the path below begins like the base path", () => {
    const message = { url: "/v1/stream/a", originalUrl: "/v1/v1/stream/a" };
    expect(of(message, "/v1")).toEqual({ mountPath: "/v1", target: "/v1/stream/a" });
  });

  it("is told by Express, also through nested routers", () => {
    const message = { url: "/v1/stream/a", originalUrl: "/api/streams/v1/stream/a", baseUrl: BASE };
    expect(of(message)).toEqual({ mountPath: BASE, target: "/v1/stream/a" });
    expect(of({ url: "/?x", originalUrl: "/api/streams?x", baseUrl: BASE })).toEqual({
      mountPath: BASE,
      target: "/?x",
    });
  });

  it("is told by what Connect has removed", () => {
    const message = { url: "/v1/stream/a", originalUrl: "/api/streams/v1/stream/a" };
    expect(of(message)).toEqual({ mountPath: BASE, target: "/v1/stream/a" });
  });

  it("is the root where nothing was removed", () => {
    expect(of({ url: "/v1/stream/a" })).toEqual({ target: "/v1/stream/a" });
    expect(of({ url: "/v1/stream/a", originalUrl: "/v1/stream/a", baseUrl: "" })).toEqual({ target: "/v1/stream/a" });
    expect(of({ url: "/v1/stream/a", originalUrl: "/rewritten" })).toEqual({ target: "/v1/stream/a" });
  });
});
