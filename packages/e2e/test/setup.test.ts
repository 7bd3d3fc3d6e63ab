/** Set up by wrangler itself, against Cloudflare's API on loopback; then looked after, and destroyed. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { runCaptured, type Ran } from "@durable-streams-cloudflare/cli/testing/captured-io";
import { makeFakeAccount } from "@durable-streams-cloudflare/cli/testing/fake-account";
import { afterAll, beforeAll, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

const account = await makeFakeAccount();
const { home, folder, cloudflare } = account;
const config = join(folder, "workers/streams/wrangler.toml");
const packages = join(home, "node_modules");
const env = { ...account.env, FAKE_NODE_MODULES: packages };

beforeAll(() => {
  mkdirSync(join(packages, "@durable-streams-cloudflare"), { recursive: true });
  symlinkSync(join(ROOT, "node_modules/wrangler"), join(packages, "wrangler"));
  symlinkSync(join(ROOT, "packages/server"), join(packages, "@durable-streams-cloudflare/server"));
});

afterAll(() => account.remove());

const cli = (...argv: string[]): Promise<Ran> => runCaptured([...argv, "--json"], { env });

async function doctor(): Promise<Record<string, { status: string; detail: string }>> {
  const { stdout } = await cli("doctor", folder);
  const { checks } = JSON.parse(stdout) as { checks: { check: string; status: string; detail: string }[] };
  return Object.fromEntries(checks.map(({ check, status, detail }) => [check, { status, detail }]));
}

it("wrangler uploads the Worker with all its bindings and migrations", async () => {
  const ran = await cli("setup", folder, "--yes", "--url", cloudflare.deployedUrl);
  expect([ran.exitCode, ran.stderr.includes("✗")]).toEqual([0, false]);
  const upload = cloudflare.workers.get("durable-streams")?.upload ?? "";
  const [, metadata = "{}"] = /name="metadata"\r\n\r\n(.*)\r\n/.exec(upload) ?? [];
  const { bindings, migrations } = JSON.parse(metadata) as {
    bindings: { name: string; type: string }[];
    migrations: { new_tag: string };
  };
  expect(bindings.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["STREAMS", "PROJECTS", "SUBSCRIPTIONS", "ESTUARIES", "REGISTRY", "SEGMENTS"]),
  );
  expect(migrations.new_tag).toMatch(/^v\d+$/);
  expect(upload).toContain("class StreamDO");
});

it("doctor finds the folder and the account healthy", async () => {
  const found = await doctor();
  const all = ["node", "wrangler", "login", "bindings", "migrations", "deployed", "applied", "secrets", "server"];
  for (const check of all) {
    expect([check, found[check]]).toEqual([check, { status: "ok", detail: expect.any(String) }]);
  }
});

it("doctor finds a class that is not exported, one that no migration makes, a Worker that lags behind, and a secret that is gone", async () => {
  const text = readFileSync(config, "utf8");
  const binding = '\n[[durable_objects.bindings]]\nname = "MINE"\nclass_name = "MineDO"\n';
  writeFileSync(config, text + binding);
  const { upload = "" } = cloudflare.workers.get("durable-streams") ?? {};
  cloudflare.workers.set("durable-streams", { upload, migrationTag: "v1", secrets: new Map() });
  const found = await doctor();
  expect(found["bindings"]).toEqual({ status: "fail", detail: expect.stringContaining("MineDO") });
  expect(found["migrations"]).toEqual({ status: "fail", detail: expect.stringContaining("MineDO") });
  expect(found["applied"]).toEqual({ status: "fail", detail: expect.stringContaining("v1") });
  expect(found["secrets"]).toMatchObject({ status: "fail" });
  writeFileSync(config, text);
});

it("destroy says what would go, asks, and removes what setup has made", async () => {
  cloudflare.buckets.set("of-somebody-else", {});
  const plan = await cli("destroy", folder, "--dry-run");
  expect(JSON.parse(plan.stdout)).toMatchObject({
    plan: [
      { remove: "worker" },
      { remove: "queue" },
      { remove: "namespace" },
      { remove: "bucket" },
      { remove: "profile" },
    ],
  });
  expect((await cli("destroy", folder)).exitCode).toBe(2);
  expect(cloudflare.workers.size).toBe(1);
  expect((await cli("destroy", folder, "--yes")).exitCode).toBe(0);
  expect([cloudflare.workers.size, cloudflare.namespaces.size]).toEqual([0, 0]);
  expect([...cloudflare.buckets.keys()]).toEqual(["of-somebody-else"]);
  expect(existsSync(join(folder, ".durable-streams.json"))).toBe(false);
  expect(readFileSync(join(home, ".config/durable-streams/profiles.json"), "utf8").trim()).toBe("{}");
});
