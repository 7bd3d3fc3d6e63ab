import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { expect, it } from "vitest";

const SOURCES = fileURLToPath(new URL("..", import.meta.url));

it("only types are imported from OpenTelemetry: its code is loaded when something is exported, and may be missing", async () => {
  const importing: string[] = [];
  for await (const path of glob("**/*.ts", { cwd: SOURCES, exclude: (name) => name.endsWith(".test.ts") })) {
    const imports = readFileSync(`${SOURCES}/${path}`, "utf8").matchAll(/^import ([^;]*?) from "@opentelemetry/gm);
    for (const [, what = ""] of imports) if (!what.startsWith("type ")) importing.push(`${path}: ${what}`);
  }
  expect(importing).toEqual([]);
});
