import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { resolveConnection } from "./connection.ts";
import { profilesPath, removeProfile, writeProfile } from "./profiles.ts";

let env: Record<string, string>;

beforeEach(() => {
  const home = mkdtempSync(join(tmpdir(), "profiles-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  env = { XDG_CONFIG_HOME: home };
});

describe("resolveConnection", () => {
  it("defaults to the server of npm start", () => {
    expect(resolveConnection({}, env)).toMatchObject({ url: "http://localhost:4437", project: undefined });
  });

  it("prefers flags to the environment, and the environment to the profile", () => {
    writeProfile(env, "default", { url: "https://profile.example.com", project: "p" });
    expect(resolveConnection({}, env)).toMatchObject({ url: "https://profile.example.com", project: "p" });
    const around = { ...env, DURABLE_STREAMS_URL: "https://env.example.com/" };
    expect(resolveConnection({}, around)).toMatchObject({ url: "https://env.example.com", project: undefined });
    const flags = { url: "https://flag.example.com/below/", project: "q" };
    expect(resolveConnection(flags, around)).toMatchObject({ url: "https://flag.example.com/below", project: "q" });
  });

  it("finds a profile by its name, and lists the profiles if it does not exist", () => {
    writeProfile(env, "staging", { url: "https://staging.example.com" });
    expect(resolveConnection({ profile: "staging" }, env).url).toBe("https://staging.example.com");
    expect(() => resolveConnection({ profile: "stagin" }, env)).toThrow(/stagin/);
    expect(() => resolveConnection({}, { ...env, DURABLE_STREAMS_PROFILE: "x" })).toThrow(/"x"/);
  });

  it.each(["streams.example.com", "ftp://x", "http://user@x", "https://x/?token=1"])("refuses the URL %s", (url) => {
    expect(() => resolveConnection({ url }, env)).toThrow(/malformed/);
  });
});

describe("profiles", () => {
  it("can be read only by their owner, and are deleted by remove", () => {
    writeProfile(env, "a", { url: "http://a" });
    writeProfile(env, "b", { url: "http://b" });
    removeProfile(env, "a");
    removeProfile(env, "never");
    expect(JSON.parse(readFileSync(profilesPath(env), "utf8"))).toEqual({ b: { url: "http://b" } });
    expect(statSync(profilesPath(env)).mode & 0o777).toBe(0o600);
  });
});
