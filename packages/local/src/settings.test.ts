import { expect, it } from "vitest";

import { localSettings } from "./settings.ts";

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
