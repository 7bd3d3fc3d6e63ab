import { describe, expect, it } from "vitest";

import { formatImpliedAuthMode, localSettings as merge, refuseUnmeantExposure, SECRETS } from "./settings.ts";

/** A machine has more memory than an isolate on Cloudflare. */
const MACHINE_BYTES = String(256 * 1024 * 1024);

function localSettings(configured: Record<string, string>, given: Record<string, string>, environment = {}) {
  return merge({ configured, given, environment, host: "127.0.0.1" });
}

it("is a single-tenant server for this machine, whatever wrangler.toml says about the deployment", () => {
  const settings = localSettings({ TENANCY: "path", AUTH_MODE: "project", LOG_LEVEL: "error" }, {});
  expect(settings).toEqual({
    BODIES_BYTES_MAX: MACHINE_BYTES,
    TENANCY: "single",
    AUTH_MODE: "none",
    LOG_LEVEL: "error",
    WEBHOOK_LOOPBACK: "allow",
    CORS_ORIGINS: "loopback",
  });
});

it("lets what is given override everything", () => {
  expect(localSettings({ LOG_LEVEL: "error" }, { AUTH_MODE: "project", LOG_LEVEL: "info" })).toEqual({
    BODIES_BYTES_MAX: MACHINE_BYTES,
    TENANCY: "single",
    AUTH_MODE: "project",
    LOG_LEVEL: "info",
  });
});

describe("webhooks to this machine", () => {
  const webhooks = (given: Record<string, string>, host = "127.0.0.1", environment = {}): unknown =>
    merge({ configured: {}, given, environment, host })["WEBHOOK_LOOPBACK"];

  it("are allowed if only this machine has access to the server, and can be turned off", () => {
    expect(webhooks({})).toBe("allow");
    expect(webhooks({ WEBHOOK_LOOPBACK: "refuse" })).toBe("refuse");
  });

  it("need a setting otherwise", () => {
    expect(webhooks({ AUTH_MODE: "project" })).toBeUndefined();
    expect(webhooks({ OPEN_TO: "everybody" })).toBeUndefined();
    expect(webhooks({}, "127.0.0.1", { ORIGIN_SECRET: "x".repeat(32) })).toBeUndefined();
    expect(webhooks({ AUTH_MODE: "none" }, "0.0.0.0")).toBeUndefined();
    expect(webhooks({}, "127.0.0.1", { PROJECT_SECRET: "x".repeat(32) })).toBeUndefined();
  });
});

it("keeps variables of wrangler.toml that are not settings", () => {
  expect(localSettings({ SECRET: "s" }, {})).toHaveProperty("SECRET", "s");
});

it("refuses what is not a setting, and lists the settings", () => {
  expect(() => localSettings({}, { LOG_LEVLE: "info" })).toThrow(
    expect.objectContaining({
      exitCode: 2,
      message: expect.stringContaining("LOG_LEVLE"),
      fix: expect.stringContaining("LOG_LEVEL"),
    }),
  );
});

it("refuses invalid values, all of them in one message", () => {
  expect(() => localSettings({ LOG_LEVEL: "loud" }, { TENANCY: "many" })).toThrow(
    expect.objectContaining({ exitCode: 2, message: expect.stringMatching(/TENANCY[^]*LOG_LEVEL/) }),
  );
});

it("takes only secrets from the environment", () => {
  const secret = "x".repeat(32);
  const environment = { ORIGIN_SECRET: secret, LOG_LEVEL: "info", PATH: "/bin" };
  expect(localSettings({}, {}, environment)).toEqual({
    TENANCY: "single",
    AUTH_MODE: "none",
    ORIGIN_SECRET: secret,
    BODIES_BYTES_MAX: MACHINE_BYTES,
  });
  expect(SECRETS).toEqual(["ADMIN_SECRET", "PROJECT_SECRET", "ORIGIN_SECRET"]);
});

describe.each(["PROJECT_SECRET", "ADMIN_SECRET"])("%s", (name) => {
  const secret = { [name]: "x".repeat(32) };

  it("implies that requests need tokens, wherever it is set, and prints a note", () => {
    for (const settings of [localSettings({}, {}, secret), localSettings(secret, {})]) {
      expect(settings).toMatchObject({ AUTH_MODE: "project", ...secret });
      expect(formatImpliedAuthMode({ given: {} }, settings)).toMatch(new RegExp(`${name}[^]*--var AUTH_MODE:none`));
    }
    refuseUnmeantExposure("0.0.0.0", { given: {}, environment: secret });
  });

  it("does not imply it if AUTH_MODE is given", () => {
    const given = { AUTH_MODE: "none" };
    expect(localSettings({}, given, secret)).toMatchObject(given);
    expect(formatImpliedAuthMode({ given }, secret)).toBe("");
  });

  it("counts as missing if it is empty", () => {
    expect(localSettings({}, {}, { [name]: "" })).toMatchObject({ AUTH_MODE: "none" });
  });
});

it("is open to other machines without tokens only if that was requested", () => {
  const environment = {};
  expect(() => refuseUnmeantExposure("0.0.0.0", { given: {}, environment })).toThrow(
    expect.objectContaining({ exitCode: 2 }),
  );
  for (const AUTH_MODE of ["none", "project"]) {
    refuseUnmeantExposure("0.0.0.0", { given: { AUTH_MODE }, environment });
  }
  refuseUnmeantExposure("127.0.0.1", { given: {}, environment });
  const given = { AUTH_MODE: "none" };
  const settings = merge({ configured: {}, given, environment, host: "0.0.0.0" });
  expect(settings).toMatchObject({ AUTH_MODE: "none", OPEN_TO: "everybody" });
});
