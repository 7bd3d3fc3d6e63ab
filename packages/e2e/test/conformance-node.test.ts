/** The official suite against the other ways to reach the engine node, at once: it waits most of its time. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createHandler } from "@durable-streams-cloudflare/node";
import { afterAll, expect, it } from "vitest";

import { runConformanceSuite, runSuiteAgainst, type SuiteTest } from "../src/conformance-suite.ts";
import { judge } from "../src/conformance-verdict.ts";
import { tlsFiles } from "../src/tls-files.ts";

const workDir = mkdtempSync(join(tmpdir(), "conformance-node-"));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

function expectPassed(tests: readonly SuiteTest[]): void {
  const { passed, faults } = judge(tests);
  expect(faults).toEqual([]);
  expect(passed).toBeGreaterThan(300);
}

it.concurrent("the official suite passes over HTTPS", async () => {
  const { flags, certPath } = tlsFiles(workDir);
  expectPassed(await runConformanceSuite({ flags, env: { NODE_EXTRA_CA_CERTS: certPath } }));
});

it.concurrent("the official suite passes against a handler below a path of node:http", async () => {
  const streams = createHandler({
    basePath: "/api/streams",
    storage: { mode: "file-durable", dataDir: join(workDir, "embedded") },
    settings: { AUTH_MODE: "none", TENANCY: "single", WEBHOOK_LOOPBACK: "allow", LOG_LEVEL: "off" },
  });
  const server = createServer(streams.node).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as AddressInfo;
    expectPassed(await runSuiteAgainst(`http://127.0.0.1:${port}/api/streams`));
  } finally {
    await streams.close();
    server.closeAllConnections();
    server.close();
  }
});
