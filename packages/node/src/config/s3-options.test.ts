import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ConfigError } from "@durable-streams-cloudflare/core/config";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { formatConfig } from "./explain.ts";
import type { LayerSources } from "./layers.ts";
import { loadConfig } from "./load-config.ts";
import { resolveConfig } from "./resolve.ts";

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "config-"));
  mkdirSync(join(cwd, "config"));
});

afterEach(() => rmSync(cwd, { recursive: true, force: true }));

/** The lines below the heading. */
function faultsOf(sources: Partial<LayerSources> = {}): readonly string[] {
  try {
    resolveConfig({ env: {}, cwd, ...sources });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split("\n").slice(1);
  }
}

describe("cold segments in a bucket", () => {
  const env = {
    DS_STORAGE__SEGMENTS: "s3",
    DS_STORAGE__S3_BUCKET: "cold",
    AWS_ACCESS_KEY_ID: "AKID",
    AWS_SECRET_ACCESS_KEY: "of-aws",
    AWS_SESSION_TOKEN: "token",
  };

  it("become options of the storage, with the credentials of the environment", () => {
    const { storage } = loadConfig({ env: { ...env, DS_STORAGE__S3_FORCE_PATH_STYLE: "off" }, cwd });
    expect(storage.s3).toEqual({
      bucket: "cold",
      accessKeyId: "AKID",
      secretAccessKey: "of-aws",
      sessionToken: "token",
      region: "us-east-1",
      forcePathStyle: false,
    });
    expect(loadConfig({ env: { AWS_ACCESS_KEY_ID: "AKID" }, cwd }).storage.s3).toBeUndefined();
  });

  it("credentials in a file take the place of those in the environment", () => {
    const { storage } = loadConfig({ env: { ...env, DS_STORAGE__S3_CREDENTIALS_FILE: "s3/credentials" }, cwd });
    expect(storage.s3).toEqual({
      bucket: "cold",
      credentialsFile: join(cwd, "s3/credentials"),
      region: "us-east-1",
      forcePathStyle: true,
    });
    const alone = { DS_STORAGE__SEGMENTS: "s3", DS_STORAGE__S3_BUCKET: "cold", DS_STORAGE__S3_CREDENTIALS_FILE: "/c" };
    expect(loadConfig({ env: alone, cwd }).storage.s3?.credentialsFile).toBe("/c");
  });

  it("variables of the server's own count instead of all that it shares, and no secret is shown", () => {
    const own = { ...env, DS_STORAGE__S3_ACCESS_KEY_ID: "OWN", DS_STORAGE__S3_SECRET_ACCESS_KEY: "our-own" };
    const { storage } = loadConfig({ env: own, cwd });
    expect(storage.s3).toMatchObject({ accessKeyId: "OWN", secretAccessKey: "our-own" });
    expect(storage.s3).not.toHaveProperty("sessionToken");
    const shown = formatConfig(resolveConfig({ cwd, env: own }).values);
    expect(shown).toContain("storage.s3_secret_access_key = (secret)");
    expect(shown).not.toMatch(/our-own|of-aws|= token/);
    expect(formatConfig(resolveConfig({ cwd, env }).values)).not.toMatch(/of-aws|= token/);
  });

  it("a secret is refused on the command line, and in a file that others can read", () => {
    const flag = { flag: "--var x", option: "storage.s3_secret_access_key", text: "of-flag" };
    expect(faultsOf({ flags: [flag] })).toEqual([expect.stringContaining("export DS_STORAGE__S3_SECRET_ACCESS_KEY=…")]);
    const file = join(cwd, "config/local.toml");
    writeFileSync(file, '[storage]\ns3_secret_access_key = "of-file"\n');
    chmodSync(file, 0o644);
    expect(faultsOf().join("\n")).toMatch(/is a secret.*chmod 600/);
  });

  it("name what is missing, and what does not fit", () => {
    expect(faultsOf({ env: { DS_STORAGE__SEGMENTS: "s3" } })).toEqual([
      expect.stringContaining("needs storage.s3_bucket as well: set it, or DS_STORAGE__S3_BUCKET"),
      expect.stringContaining("AWS_ACCESS_KEY_ID"),
      expect.stringContaining("AWS_SECRET_ACCESS_KEY"),
    ]);
    expect(faultsOf({ env: { ...env, DS_STORAGE__MODE: "memory" } })).toEqual([expect.stringContaining("memory")]);
    expect(faultsOf({ env: { ...env, DS_SERVER__ENGINE: "workerd" } })).toEqual([expect.stringContaining("bucket")]);
  });
});
