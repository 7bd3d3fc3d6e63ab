import { readFileSync } from "node:fs";

import { expect, it } from "vitest";
import { parse } from "yaml";

import { loadOpenTelemetry, TESTED_VERSIONS } from "./packages.ts";

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

it("where a package is missing, the error names all of them, and how to export nothing", () => {
  const missing = Object.assign(new Error("Cannot find module '@opentelemetry/sdk-metrics'"), {
    code: "MODULE_NOT_FOUND",
  });
  const load = (name: string): unknown => {
    if (name === "@opentelemetry/sdk-metrics") throw missing;
    return {};
  };
  const packages = Object.entries(TESTED_VERSIONS).map(([name, version]) => `${name}@${version}`);
  expect(() => loadOpenTelemetry(load)).toThrow(
    expect.objectContaining({
      message: "Traces and metrics cannot be exported, because the packages of OpenTelemetry are not installed.",
      fix: expect.stringMatching(`npm install ${packages.join(" ")} .*OTEL_SDK_DISABLED=true`) as string,
    }),
  );
});

it("whatever else goes wrong in a package is not called missing", () => {
  const broken = new Error("broken");
  const load = (): never => {
    throw broken;
  };
  expect(() => loadOpenTelemetry(load)).toThrow(broken);
});

it("the packages that the error names are the optional peers, in the versions that are tested", () => {
  const { catalog } = parse(read("../../../../pnpm-workspace.yaml")) as { catalog: Record<string, string> };
  const { peerDependencies, peerDependenciesMeta } = JSON.parse(read("../../package.json")) as {
    peerDependencies: Record<string, string>;
    peerDependenciesMeta: Record<string, { optional: boolean }>;
  };
  expect(Object.keys(peerDependencies)).toEqual(Object.keys(TESTED_VERSIONS));
  for (const [name, version] of Object.entries(TESTED_VERSIONS)) {
    expect([name, catalog[name], peerDependenciesMeta[name]]).toEqual([name, version, { optional: true }]);
  }
});
