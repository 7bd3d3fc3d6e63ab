import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, it } from "vitest";

import { findServerPackage } from "./server-package.ts";

const cwd = mkdtempSync(join(tmpdir(), "server-package-"));

beforeAll(() => {
  for (const name of ["cli", "core", "http", "protocol", "server"])
    writeFileSync(join(cwd, `durable-streams-cloudflare-${name}-1.2.3.tgz`), "");
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

it("is a version on npm", () => {
  expect(findServerPackage("1.2.3", cwd)).toEqual({ spec: "1.2.3", overrides: {} });
});

it("is an archive, wherever the Worker's folder is", () => {
  const spec = `file:${cwd}/durable-streams-cloudflare-server-1.2.3.tgz`;
  expect(findServerPackage("durable-streams-cloudflare-server-1.2.3.tgz", cwd)).toEqual({ spec, overrides: {} });
});

it("is found in a folder of archives, together with its dependencies", () => {
  expect(findServerPackage(".", cwd)).toEqual({
    spec: `file:${cwd}/durable-streams-cloudflare-server-1.2.3.tgz`,
    overrides: {
      "@durable-streams-cloudflare/core": `file:${cwd}/durable-streams-cloudflare-core-1.2.3.tgz`,
      "@durable-streams-cloudflare/http": `file:${cwd}/durable-streams-cloudflare-http-1.2.3.tgz`,
      "@durable-streams-cloudflare/protocol": `file:${cwd}/durable-streams-cloudflare-protocol-1.2.3.tgz`,
    },
  });
  expect(() => findServerPackage(tmpdir(), cwd)).toThrow(expect.objectContaining({ code: "usage" }));
});
