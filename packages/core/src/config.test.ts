import { describe, expect, it } from "vitest";

import { ConfigError, parseConfig, SETTINGS, type SettingName } from "./config.ts";

const names = Object.keys(SETTINGS) as SettingName[];
const integers = names.flatMap((name) => {
  const setting = SETTINGS[name];
  return setting.kind === "integer" ? [{ name, min: setting.min, max: setting.max, initial: setting.default }] : [];
});
const choices = names.flatMap((name) => {
  const setting = SETTINGS[name];
  return setting.kind === "choice" ? [{ name, all: setting.choices }] : [];
});

/** What `parseConfig` says about one setting's value. */
function faultOf(name: SettingName, value: unknown): string | undefined {
  try {
    parseConfig({ [name]: value });
    return undefined;
  } catch (error) {
    return error instanceof ConfigError ? error.message : "no ConfigError";
  }
}

const propertyOf = (name: SettingName): string =>
  name.toLowerCase().replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

describe.each(integers)("$name", ({ name, min, max, initial }) => {
  it("has a default value within its bounds, which an empty environment gives", () => {
    expect(initial).toBeGreaterThanOrEqual(min);
    expect(initial).toBeLessThanOrEqual(max);
    expect(parseConfig({})).toHaveProperty(propertyOf(name), initial);
  });

  it("accepts its bounds, as text or number, and nothing beyond them", () => {
    for (const value of [min, max, String(min), ` ${max} `]) {
      expect(parseConfig({ [name]: value })).toHaveProperty(propertyOf(name), Number(value));
    }
    for (const value of [min - 1, max + 1, String(max + 1)]) expect(faultOf(name, value)).toContain(name);
  });

  it.each(["", "abc", "1e3", "0x10", "-5", "1.5", "NaN", "Infinity", true, null, {}, [min], Number.NaN, `${min}\n1`])(
    "refuses %j",
    (value) => {
      expect(faultOf(name, value)).toContain(`${name} must be a whole number from ${min} to ${max}`);
    },
  );
});

describe.each(choices)("$name", ({ name, all }) => {
  it("accepts each of its choices", () => {
    for (const value of all) {
      expect(parseConfig({ ORIGIN_SECRET: "x".repeat(32), [name]: value })).toHaveProperty(propertyOf(name), value);
    }
  });

  it.each(["", "other", "PATH", 1, true, null, {}])("refuses %j", (value) => {
    expect(faultOf(name, value)).toContain(`${name} must be ${all.join(", ").replace(/, (?=\w+$)/, " or ")}`);
  });
});

it.each([undefined, ""])(
  "AUTH_MODE=trusted-header is refused with ORIGIN_SECRET %j, because nothing would prove the proxy",
  (secret) => {
    const settings = { AUTH_MODE: "trusted-header", ...(secret === undefined ? {} : { ORIGIN_SECRET: secret }) };
    expect(() => parseConfig(settings)).toThrow("ORIGIN_SECRET must be set with AUTH_MODE=trusted-header");
  },
);

describe("PUBLIC_URL", () => {
  it.each([
    ["", ""],
    ["https://streams.example.com", "https://streams.example.com"],
    ["https://streams.example.com/", "https://streams.example.com"],
    ["https://example.com:8443/streams/", "https://example.com:8443/streams"],
    ["http://127.0.0.1:4437", "http://127.0.0.1:4437"],
  ])("%j is taken", (value, url) => {
    expect(parseConfig({ PUBLIC_URL: value }).publicUrl).toBe(url);
  });

  it.each(["streams.example.com", "ftp://a.example", "https://", "https://u:p@a.example", "https://a.example?x=1"])(
    "%j is refused",
    (value) => expect(faultOf("PUBLIC_URL", value)).toContain("PUBLIC_URL must be an http or https URL"),
  );

  it("with an invalid port is refused", () => {
    expect(faultOf("PUBLIC_URL", "https://a.example:99999")).toContain("PUBLIC_URL must be an http or https URL");
  });
});

describe("CORS_ORIGINS", () => {
  it.each([
    { value: "*", origins: ["*"] },
    { value: "https://a.example", origins: ["https://a.example"] },
    { value: "https://a.example, http://localhost:3000", origins: ["https://a.example", "http://localhost:3000"] },
  ])("$value", ({ value, origins }) => {
    expect(parseConfig({ CORS_ORIGINS: value }).corsOrigins).toEqual(origins);
  });

  it.each(["", "a.example", "https://a.example/", "https://a.example,", "*,https://a.example", "ftp://a", 7])(
    "refuses %j",
    (value) => {
      expect(faultOf("CORS_ORIGINS", value)).toContain("CORS_ORIGINS must be *, loopback, or");
    },
  );
});

describe.each(["ADMIN_SECRET", "PROJECT_SECRET", "ORIGIN_SECRET"] as const)("%s", (name) => {
  it.each(["short-s3cr3t", `${"s3cr3t".repeat(8)} `.padStart(60, "\t x"), "s3cr3t".repeat(100), 7])(
    "refuses %j without repeating it",
    (value) => {
      expect(faultOf(name, value)).toContain(`${name} must be 32 to 512 printable characters`);
      expect(faultOf(name, value)).not.toContain(String(value));
    },
  );

  it("is used exactly as it is", () => {
    const secret = "x".repeat(32);
    expect(parseConfig({ [name]: secret, TENANCY: "single" })).toHaveProperty(propertyOf(name), secret);
  });
});

it("PROJECT_SECRET without TENANCY=single is refused, because nothing would use it", () => {
  expect(faultOf("PROJECT_SECRET", "x".repeat(32))).toContain("TENANCY=path");
});

it("all faults are reported at once, each with what is wrong", () => {
  const env = { TENANCY: "both", LONG_POLL_TIMEOUT_MS: "soon", READ_BYTES_MAX: -1, LOG_LEVEL: "info" };
  expect(() => parseConfig(env)).toThrow(
    /TENANCY must be path or single, but it is "both".*\n.*LONG_POLL_TIMEOUT_MS .*"soon".*\n.*READ_BYTES_MAX .*-1/,
  );
});

it("bindings and unknown names are ignored", () => {
  expect(parseConfig({ STREAMS: {}, SOMETHING: "else" })).toEqual(parseConfig({}));
});
