import { expect, it } from "vitest";

import { checkApplied } from "./folder-checks.ts";

const config = { durable_objects: { bindings: [] }, migrations: [{ tag: "v1" }, { tag: "v2" }] };

it.each([
  ["v2", "ok", "v2 is applied"],
  ["v1", "fail", "is at migration v1, but wrangler.toml is at v2"],
  [undefined, "fail", "has no migration, but wrangler.toml is at v2"],
  ["v3", "fail", "v3, which wrangler.toml lacks"],
])("a Worker whose last migration is %s: %s", (migrationTag, status, detail) => {
  const finding = checkApplied({ migrationTag }, config);
  expect(finding).toMatchObject({ status, detail: expect.stringContaining(detail) });
  expect(finding.fix === undefined).toBe(status === "ok");
});

it("a Worker without Durable Objects has no migrations, and a Worker that is not deployed is skipped", () => {
  expect(checkApplied({ migrationTag: undefined }, { ...config, migrations: [] })).toMatchObject({ status: "ok" });
  expect(checkApplied(undefined, config)).toMatchObject({ status: "skip" });
});
