import { expect, it } from "vitest";

import { formatWeights, moduleSources, weighParts, type Metafile } from "./bundle-report.ts";

const inputs = {
  "packages/protocol/src/offset.ts": { bytesInOutput: 300 },
  "packages/core/src/stream/append/admission.ts": { bytesInOutput: 2_000 },
  "packages/core/src/stream/stream.ts": { bytesInOutput: 1_000 },
  "packages/core/src/log/hot-log.ts": { bytesInOutput: 700 },
  "packages/core/src/config.ts": { bytesInOutput: 90 },
  "packages/http/src/routes/streams.ts": { bytesInOutput: 500 },
  "packages/server/src/objects/stream-do.ts": { bytesInOutput: 400 },
  "node_modules/.pnpm/hono@4.0.0/node_modules/hono/dist/hono.js": { bytesInOutput: 600 },
  "node_modules/.pnpm/x@1.0.0_@y+z@2.0.0/node_modules/@scope/x/index.js": { bytesInOutput: 50 },
  "node_modules/.pnpm/wrangler@4.0.0/node_modules/wrangler/templates/facade.js": { bytesInOutput: 10 },
  "packages/protocol/src/shaken-out.ts": { bytesInOutput: 0 },
};
const metafile: Metafile = {
  outputs: {
    "dist/worker/worker.js": { bytes: 5_700, inputs },
    "dist/worker/worker.js.map": { bytes: 90_000, inputs: {} },
  },
};

it("core and http weigh by folder, other packages and dependencies as a whole, the heaviest first", () => {
  expect(weighParts(metafile)).toEqual([
    { part: "core/stream", bytes: 3_000 },
    { part: "core/log", bytes: 700 },
    { part: "hono", bytes: 600 },
    { part: "http/routes", bytes: 500 },
    { part: "server", bytes: 400 },
    { part: "protocol", bytes: 300 },
    { part: "core", bytes: 90 },
    { part: "bundler", bytes: 60 },
    { part: "@scope/x", bytes: 50 },
  ]);
});

it("the parts add up to the bundle, without its source map", () => {
  expect(weighParts(metafile).reduce((sum, { bytes }) => sum + bytes, 0)).toBe(5_700);
});

it("what serves modules is found, where the bundle contains anything of it", () => {
  const own = "packages/http/src/modules/module-routes.ts";
  const object = "packages/server/src/objects/module-object.ts";
  const withModules = { ...inputs, [own]: { bytesInOutput: 1 }, [object]: { bytesInOutput: 1 } };
  expect(moduleSources(metafile)).toEqual([]);
  expect(moduleSources({ outputs: { "worker.js": { bytes: 1, inputs: withModules } } })).toEqual([own, object]);
  const shaken = { ...inputs, [own]: { bytesInOutput: 0 } };
  expect(moduleSources({ outputs: { "worker.js": { bytes: 1, inputs: shaken } } })).toEqual([]);
});

it("the table has a line for each part, its share, and the total", () => {
  const table = formatWeights([
    { part: "core/stream", bytes: 3_072 },
    { part: "hono", bytes: 1_024 },
  ]);
  expect(table.split("\n")).toEqual([
    "core/stream     3.0 KB  75.0 %",
    "hono            1.0 KB  25.0 %",
    "total           4.0 KB 100.0 %",
  ]);
});
