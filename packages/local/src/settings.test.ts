import { expect, it } from "vitest";

import { localSettings as merge, refuseUnmeantExposure, SECRETS } from "./settings.ts";

function localSettings(configured: Record<string, string>, given: Record<string, string>, environment = {}) {
  return merge({ configured, given, environment });
}

it("is open to one tenant on this machine, whatever wrangler.toml says of the deployment", () => {
  const settings = localSettings({ TENANCY: "path", AUTH_MODE: "project", LOG_LEVEL: "error" }, {});
  expect(settings).toEqual({ TENANCY: "single", AUTH_MODE: "none", LOG_LEVEL: "error" });
});

it("lets --var override everything", () => {
  expect(localSettings({ LOG_LEVEL: "error" }, { AUTH_MODE: "project", LOG_LEVEL: "info" })).toEqual({
    TENANCY: "single",
    AUTH_MODE: "project",
    LOG_LEVEL: "info",
  });
});

it("keeps variables of wrangler.toml that are no settings", () => {
  expect(localSettings({ SECRET: "s" }, {})).toHaveProperty("SECRET", "s");
});

it("refuses a --var that is no setting, and lists those that are", () => {
  expect(() => localSettings({}, { LOG_LEVLE: "info" })).toThrow(
    expect.objectContaining({
      exitCode: 2,
      message: expect.stringContaining("LOG_LEVLE"),
      fix: expect.stringContaining("LOG_LEVEL"),
    }),
  );
});

it("refuses values that the server refuses, all of them in one message", () => {
  expect(() => localSettings({ LOG_LEVEL: "loud" }, { TENANCY: "many" })).toThrow(
    expect.objectContaining({ exitCode: 2, message: expect.stringMatching(/TENANCY[^]*LOG_LEVEL/) }),
  );
});

it("takes secrets from the environment, and nothing else", () => {
  const secret = "x".repeat(32);
  const environment = { ADMIN_SECRET: secret, LOG_LEVEL: "info", PATH: "/bin" };
  expect(localSettings({}, {}, environment)).toEqual({
    TENANCY: "single",
    AUTH_MODE: "none",
    ADMIN_SECRET: secret,
  });
  expect(SECRETS).toEqual(["ADMIN_SECRET", "PROJECT_SECRET", "ORIGIN_SECRET"]);
});

it("takes no secret from the command line, and says where from", () => {
  expect(() => localSettings({}, { ADMIN_SECRET: "x".repeat(32) })).toThrow(
    expect.objectContaining({ exitCode: 2, fix: expect.stringContaining("export ADMIN_SECRET=") }),
  );
});

it("is open to other machines without tokens only when that is said", () => {
  expect(() => refuseUnmeantExposure("0.0.0.0", {})).toThrow(expect.objectContaining({ exitCode: 2 }));
  for (const AUTH_MODE of ["none", "project"]) refuseUnmeantExposure("0.0.0.0", { AUTH_MODE });
  refuseUnmeantExposure("127.0.0.1", {});
});
