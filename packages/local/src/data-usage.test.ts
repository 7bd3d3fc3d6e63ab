import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { formatPrometheus } from "@durable-streams-cloudflare/http/metrics/prometheus";
import { expect, it, onTestFinished } from "vitest";

import { DataUsage, dataMetrics } from "./data-usage.ts";

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "data-usage-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

it("counts the bytes and files of all subdirectories", async () => {
  const directory = newDirectory();
  mkdirSync(join(directory, "do/deep"), { recursive: true });
  writeFileSync(join(directory, "lock"), "");
  writeFileSync(join(directory, "do/a"), "12345");
  writeFileSync(join(directory, "do/deep/b"), "123");
  const usage = new DataUsage(directory);
  await expect.poll(() => usage.latest()).toEqual({ bytes: 8, files: 3 });
  writeFileSync(join(directory, "do/c"), "1");
  expect(usage.latest()).toEqual({ bytes: 8, files: 3 });
});

it("reports the free space, and nothing that has not been measured yet", async () => {
  const text = formatPrometheus(await dataMetrics(newDirectory(), undefined));
  expect(text).toMatch(/^durable_streams_data_free_bytes \d+$/m);
  expect(text).not.toContain("durable_streams_data_bytes");
});
