import { describe, expect, it } from "vitest";

import { ConfigError, parseConfig, SETTINGS, type SettingName } from "./config.ts";
import type { Setting } from "./setting-kinds.ts";
import { SETTING_PATHS, unknownVariables, variableOf } from "./setting-paths.ts";

/** A valid value other than the default. */
function valueOf(setting: Setting): string {
  if (setting.kind === "integer") return String(setting.max);
  if (setting.kind === "choice") return setting.choices.find((each) => each !== setting.default) ?? "";
  if (setting.isSecret === true) return "s".repeat(32);
  return setting.expects.includes("path such as") ? "/logs" : "https://a.example";
}

/** What a setting's value is refused without. */
const NEEDED_BESIDE: Partial<Record<SettingName, object>> = {
  PROJECT_SECRET: { TENANCY: "single" },
  AUTH_MODE: { ORIGIN_SECRET: valueOf(SETTINGS.ORIGIN_SECRET) },
};

function faultOf(env: object): string {
  try {
    parseConfig(env);
    return "";
  } catch (error) {
    return error instanceof ConfigError ? error.message : "no ConfigError";
  }
}

it.each(SETTING_PATHS)("$variable is the variable of a table and a key in a TOML file", ({ path, variable }) => {
  expect(path).toMatch(/^[a-z]+\.[a-z][a-z_]*[a-z]$/);
  expect(variable).toBe(variableOf(path));
  expect(SETTING_PATHS.filter((other) => other.path === path)).toHaveLength(1);
});

describe.each(SETTING_PATHS.filter(({ read }) => read === undefined))("$variable", ({ name, variable }) => {
  it(`is ${name} under another name, and not beside it`, () => {
    const value = valueOf(SETTINGS[name]);
    const others = NEEDED_BESIDE[name] ?? {};
    expect(parseConfig({ ...others, [variable]: value })).toEqual(parseConfig({ ...others, [name]: value }));
    expect(faultOf({ ...others, [variable]: value, [name]: value })).toContain(
      `${name} and ${variable} are the same setting: remove one of them.`,
    );
  });

  it("is named where its value is refused", () => {
    expect(faultOf({ [variable]: "a b" })).toContain(`- ${variable} must be `);
  });
});

it("every setting has a path", () => {
  const named = new Set<SettingName>(SETTING_PATHS.map(({ name }) => name));
  expect(Object.keys(SETTINGS).filter((name) => !named.has(name as SettingName))).toEqual([]);
});

describe("a time in seconds is the same time in milliseconds", () => {
  it.each([
    ["3", 3_000],
    [0.1, 100],
    ["25.000", 25_000],
    ["1.25", 1_250],
  ])("%j", (value, ms) => {
    expect(parseConfig({ DS_SERVER__LONG_POLL_TIMEOUT_SECS: value }).longPollTimeoutMs).toBe(ms);
  });

  it.each(["", "soon", "-1", "1.2345", "1e3", true])("but not %j", (value) => {
    expect(faultOf({ DS_SERVER__LONG_POLL_TIMEOUT_SECS: value })).toContain(
      "DS_SERVER__LONG_POLL_TIMEOUT_SECS must be a number of seconds from 0.1 to 25",
    );
  });

  it("and is refused out of its bounds, under its own name", () => {
    expect(faultOf({ DS_SERVER__LONG_POLL_TIMEOUT_SECS: "26" })).toContain("- DS_SERVER__LONG_POLL_TIMEOUT_SECS must");
  });
});

describe("a filter of the Rust server is a level", () => {
  it.each([
    ["info", "info"],
    ["debug", "info"],
    ["warn", "error"],
    ["OFF", "off"],
    ["warn,durable_streams=debug", "error"],
    ["durable_streams=warn,tower_http=trace", "info"],
    ["tower_http=off,durable_streams=error", "error"],
  ])("%s is %s", (filter, level) => {
    expect(parseConfig({ DS_LOG__RUST_LOG: filter }).logLevel).toBe(level);
  });

  it.each(["", "loud", "info,,", "a=b"])("but not %j", (filter) => {
    expect(faultOf({ DS_LOG__RUST_LOG: filter })).toContain("DS_LOG__RUST_LOG must be a filter of the Rust server");
  });

  it("and not beside the level", () => {
    expect(faultOf({ DS_LOG__RUST_LOG: "info", DS_LOG__LEVEL: "info" })).toContain(
      "DS_LOG__LEVEL and DS_LOG__RUST_LOG are the same setting",
    );
  });
});

it("what begins with DS_ and is no setting is known as such, and bindings are not", () => {
  const env = { DS_SERVER__PORT: "1", DS_HTTP__CORS_ORIGINS: "*", DS_TYPO: "x", DS_BINDING: {}, OTHER: "1" };
  expect(unknownVariables(env)).toEqual(["DS_SERVER__PORT", "DS_TYPO"]);
});
