import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it, onTestFinished } from "vitest";

import { readPublicConfig } from "./bundle.ts";

it("the published bundle contains no secret and no path of the machine that built it", async () => {
  const root = mkdtempSync(join(tmpdir(), "public-config-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  writeFileSync(
    join(root, "wrangler.toml"),
    'name = "x"\nmain = "x.js"\ncompatibility_date = "2026-11-02"\n[vars]\nTENANCY = "path"\n[[kv_namespaces]]\nbinding = "REGISTRY"\n',
  );
  writeFileSync(join(root, "x.js"), "export default {};");
  for (const name of [".dev.vars", ".env"]) writeFileSync(join(root, name), "TENANCY=hidden\nADMIN_SECRET=hidden\n");
  const config = await readPublicConfig(root);
  expect(config.vars).toEqual({ TENANCY: "path" });
  const text = JSON.stringify(config);
  expect(text).toContain("REGISTRY");
  expect(text).not.toContain(root);
  expect(text).not.toContain("hidden");
});
