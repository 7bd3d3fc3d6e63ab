import { createRequire } from "node:module";

import { expect, it } from "vitest";

const require = createRequire(import.meta.url);

interface PackageJson {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

function packageJson(name: string): PackageJson {
  return require(`${name}/package.json`) as PackageJson;
}

it("runs the Miniflare that wrangler's options are written for, and the workerd that it knows", () => {
  expect(packageJson("miniflare").version).toBe(packageJson("wrangler").dependencies?.["miniflare"]);
  expect(packageJson("workerd").version).toBe(packageJson("miniflare").dependencies?.["workerd"]);
});
