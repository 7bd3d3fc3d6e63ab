import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ConfigError } from "@durable-streams-cloudflare/core/config";
import { tally } from "@durable-streams-cloudflare/http/test/modules/tally";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { formatConfig } from "./explain.ts";
import type { LayerSources } from "./layers.ts";
import { loadConfig } from "./load-config.ts";
import { OPTIONS } from "./options.ts";
import { resolveConfig, type ConfigValue } from "./resolve.ts";

const SECRET = "s".repeat(32);

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "config-"));
  mkdirSync(join(cwd, "config"));
});

afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function write(name: string, toml: string, mode = 0o600): void {
  writeFileSync(join(cwd, name), toml, { mode });
  chmodSync(join(cwd, name), mode);
}

const resolved = (sources: Partial<LayerSources> = {}) => resolveConfig({ env: {}, cwd, ...sources });

function valueAt(path: string, sources: Partial<LayerSources> = {}): ConfigValue {
  const found = resolved(sources).values.find((value) => value.path === path);
  if (found === undefined) throw new Error(`there is no ${path}`);
  return found;
}

/** The lines below the heading. */
function faultsOf(sources: Partial<LayerSources> = {}): readonly string[] {
  try {
    resolved(sources);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split("\n").slice(1);
  }
}

describe("layers", () => {
  const layers: readonly (readonly [string, () => Partial<LayerSources>, string])[] = [
    [
      "the file of every start",
      () => (write("config/default.toml", "[server]\nport = 1001\n"), {}),
      "config/default.toml:2:1",
    ],
    [
      "the file of the profile",
      () => (write("config/prod.toml", "[server]\nport = 1002\n"), { profile: "prod" }),
      "config/prod.toml:2:1",
    ],
    [
      "the file of this machine",
      () => (write("config/local.toml", "server.port = 1003\n"), {}),
      "config/local.toml:1:1",
    ],
    [
      "the file that is named",
      () => (write("mine.toml", "server = { port = 1004 }\n"), { configFile: "mine.toml" }),
      "mine.toml:1:12",
    ],
    ["the environment", () => ({ env: { DS_SERVER__PORT: "1005" } }), "the environment variable DS_SERVER__PORT"],
    ["a flag", () => ({ flags: [{ flag: "--port", option: "server.port", text: "1006" }] }), "--port"],
  ];

  it("each overrides those before it, and what it hides is known", () => {
    expect(valueAt("server.port")).toMatchObject({ value: "4437", layer: "default", source: "default", hidden: [] });
    let sources: Partial<LayerSources> = {};
    const before: { value: string; source: string }[] = [];
    for (const [index, [_name, add, source]] of layers.entries()) {
      sources = { ...sources, ...add() };
      const value = String(1001 + index);
      expect(valueAt("server.port", sources)).toMatchObject({ value, source, default: "4437", hidden: before });
      before.unshift({ value, source });
    }
  });

  it("values are shown as their path has them, with the default that they would have otherwise", () => {
    expect(valueAt("server.long_poll_timeout_secs")).toMatchObject({ value: "3", default: "3" });
    const env = { DS_SERVER__LONG_POLL_TIMEOUT_SECS: "2.5", DS_HTTP__CORS_ORIGINS: "*" };
    expect(valueAt("server.long_poll_timeout_secs", { env })).toMatchObject({ value: "2.5", default: "3" });
    expect(valueAt("http.cors_origins", { env })).toMatchObject({ value: "*", default: "loopback" });
  });

  it("DS_PROFILE names the profile, and a profile that is given overrides it", () => {
    write("config/a.toml", "[server]\nport = 1\n");
    write("config/b.toml", "[server]\nport = 2\n");
    const env = { DS_PROFILE: "a" };
    expect(resolved({ env }).valueOf("server.port")).toBe("1");
    expect(resolved({ env, profile: "b" }).valueOf("server.port")).toBe("2");
  });

  it("the folder can be another one", () => {
    mkdirSync(join(cwd, "etc"));
    write("etc/default.toml", "[server]\nport = 1\n");
    expect(resolved({ configDir: "etc" }).valueOf("server.port")).toBe("1");
    expect(faultsOf({ configDir: "none" })).toEqual(["- none: this folder does not exist."]);
    write("file", "");
    expect(faultsOf({ configDir: "file/x" })).toEqual(["- file/x: this folder does not exist."]);
  });

  it.each([
    [{ profile: "prod" }, "- config/prod.toml: this file does not exist."],
    [{ configFile: "/none/x.toml" }, "- /none/x.toml: this file does not exist."],
    [{ configFile: "config" }, "- config: this is not a file."],
    [{ profile: "../x" }, '- The profile must be letters, digits, _ and -, but not default or local; it is "../x".'],
    [{ profile: "local" }, '- The profile must be letters, digits, _ and -, but not default or local; it is "local".'],
  ])("what is named must be there: %j", (sources, fault) => expect(faultsOf(sources)).toEqual([fault]));

  it("settings of wrangler.toml are the lowest layer, except who may do what", () => {
    const wrangler = { LOG_LEVEL: "info", TENANCY: "path", AUTH_MODE: "project", READERS_MAX: 5, A_BINDING: "x" };
    const { settings, chosen } = resolved({ wrangler, env: { DS_LIMITS__MAX_READERS: "7" } });
    expect(chosen).toEqual({ LOG_LEVEL: "info", READERS_MAX: "7" });
    expect(settings).toMatchObject({ TENANCY: "single", AUTH_MODE: "none" });
  });
});

describe("every option", () => {
  const values: Readonly<Record<string, string>> = {
    "server.host": "localhost",
    "server.engine": "node",
    "storage.mode": "acid",
    "storage.data_dir": "data",
    "storage.acid_backend": "file",
    "storage.s3_endpoint": "https://s3.example",
    "storage.s3_bucket": "cold",
    "storage.s3_region": "auto",
    "storage.s3_prefix": "servers/one",
    "storage.s3_take_over_from": "0123456789abcdef",
    "storage.s3_access_key_id": "AKID",
    "storage.s3_credentials_file": "credentials",
    "telemetry.otlp_endpoint": "http://localhost:4318",
    "telemetry.otlp_headers": "api-key=secret",
    "telemetry.service_name": "streams",
    "telemetry.traces_sampler_arg": "0.5",
    "server.long_poll_timeout_secs": "2.5",
    "log.rust_log": "warn",
    "http.stream_base_path": "/logs",
    "http.public_url": "https://a.example",
    "http.cors_origins": "https://a.example",
  };

  // A certificate and its key need each other: `loadConfig` has a test of both.
  const supported = OPTIONS.filter(({ path }) => !path.startsWith("tls."));

  it.each(supported.map(({ path, variable }) => [variable, path] as const))("%s is %s of a file", (variable, path) => {
    const option = OPTIONS.find((each) => each.path === path);
    if (option === undefined) throw new Error("there is no such option");
    const { setting, isSecret } = option;
    const text = values[path] ?? (isSecret ? SECRET : setting.kind === "choice" ? setting.choices[0] : undefined);
    const value = text ?? String(setting.kind === "integer" ? setting.max : "");
    const [table = "", key = ""] = path.split(".");
    const isNumber = setting.kind === "integer" && path !== "log.rust_log";
    const [line, env] = [`${key} = ${isNumber ? value : JSON.stringify(value)}`, { [variable]: value }];
    write("config/default.toml", `[${table}]\n${line}\n`);
    const [ofFile, ofEnvironment] = [resolved(), resolveConfig({ env, cwd: join(cwd, "none") })];
    const shown = (config: typeof ofFile) =>
      config.values.find(({ path: own, name }) => own === path || name === option.id);
    expect(shown(ofFile)).toMatchObject({ layer: "default file", value: shown(ofEnvironment)?.value });
    expect(shown(ofEnvironment)).toMatchObject({ layer: "environment" });
    expect(ofFile.settings).toEqual(ofEnvironment.settings);
  });
});

describe("what is wrong is refused", () => {
  it("all of it at once, each with file, line, column and the name that is probably meant", () => {
    write(
      "config/default.toml",
      '[server]\nprot = 1\nport = "4437"\n\n[limits]\nmax_readers = 0\n  max_append_bytes = 1.5\n[sever]\nhost = "x"\n',
    );
    const env = { DS_SERVER_PORT: "1", DS_HTTP__CORS_ORIGIN: "*", DS_SERVER__HOST: "a b", DS_WHATEVER: "1" };
    const flags = [{ flag: "--var LOG_LEVLE", option: "LOG_LEVLE", text: "info" }];
    expect(faultsOf({ env, flags })).toEqual([
      "- config/default.toml:2:1: no setting is called server.prot. Did you mean server.port?",
      '- config/default.toml:3:1: server.port must be a whole number from 0 to 65535, but it is the text "4437".',
      "- config/default.toml:6:1: limits.max_readers must be a whole number from 1 to 32000, but it is 0.",
      "- config/default.toml:7:3: limits.max_append_bytes must be a whole number from 1024 to 19660800, but it is 1.5.",
      "- config/default.toml:9:1: no setting is called sever.host. Did you mean server.host?",
      "- the environment: no setting is called DS_SERVER_PORT. Did you mean DS_SERVER__PORT?",
      "- the environment: no setting is called DS_HTTP__CORS_ORIGIN. Did you mean DS_HTTP__CORS_ORIGINS?",
      '- DS_SERVER__HOST must be an address or a host name, but it is "a b".',
      "- the environment: no setting is called DS_WHATEVER.",
      "- --var LOG_LEVLE: no setting is called LOG_LEVLE. Did you mean LOG_LEVEL?",
    ]);
  });

  it.each([
    ["port = 1", "1:1: no setting is called port. Did you mean server.port?"],
    ["[server]\ncors_origins = []", "2:1: no setting is called server.cors_origins. Did you mean http.cors_origins?"],
    ["server = 3", "1:1: server must be a table: write [server] on a line of its own."],
    ["[[server]]\nport = 1", "1:1: server must be a table: write [server] on a line of its own."],
    ["[storrage]", "1:1: no setting is called storrage. Did you mean storage?"],
    ["[server]\nport = 1\nport = 2", "3:1: this is not TOML"],
    ["[server]\nport = = 2", "2:8: this is not TOML"],
    ["[http]\ncors_origins = []", "2:1: http.cors_origins must be *, loopback, or"],
    ['[http]\ncors_origins = ["https://a.example", 3]', "2:1: http.cors_origins must be *, loopback, or"],
    ["[log]\nlevel = true", "2:1: log.level must be info, error or off, but it is true."],
    ["[log]\nlevel = 1979-05-27", "2:1: log.level must be info, error or off, but it is a date."],
  ])("in a file: %j", (toml, fault) => {
    write("config/default.toml", toml);
    const faults = faultsOf();
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(`config/default.toml:${fault}`);
  });

  it("two names of one setting in one layer", () => {
    write("config/default.toml", '[log]\nlevel = "info"\nrust_log = "info"\n');
    const env = { PROJECT_SECRET: SECRET, DS_AUTH__PROJECT_SECRET: SECRET };
    expect(faultsOf({ env })).toEqual([
      "- config/default.toml:3:1 and config/default.toml:2:1 are the same setting, LOG_LEVEL: remove one of them.",
      "- the environment variable PROJECT_SECRET and the environment variable DS_AUTH__PROJECT_SECRET are the same setting, " +
        "PROJECT_SECRET: remove one of them.",
    ]);
  });

  it("settings that do not go together", () => {
    const env = { DS_SERVER__TENANCY: "path", PROJECT_SECRET: SECRET };
    expect(faultsOf({ env })).toEqual([
      "- PROJECT_SECRET must be empty with TENANCY=path, because the projects are then in REGISTRY.",
    ]);
    expect(faultsOf({ env: { DS_SERVER__ENGINE: "workerd", DS_STORAGE__MODE: "acid" } })).toEqual([
      '- the environment variable DS_STORAGE__MODE: the engine workerd has no storage mode acid: use server.engine = "node".',
    ]);
  });

  it("a certificate without its key, or where the engine speaks plain HTTP", () => {
    write("config/default.toml", '[tls]\ncert_path = "cert.pem"\n');
    expect(faultsOf()).toEqual(["- config/default.toml:2:1: tls.cert_path needs tls.key_path as well."]);
    expect(faultsOf({ env: { DS_TLS__KEY_PATH: "key.pem", DS_SERVER__ENGINE: "workerd" } })).toEqual([
      '- config/default.toml:2:1: the engine workerd has no TLS: use server.engine = "node".',
    ]);
  });

  it("a file that cannot be read, even one that may be missing", () => {
    symlinkSync("local.toml", join(cwd, "config/local.toml"));
    expect(faultsOf()).toEqual([expect.stringMatching(/^- config\/local\.toml: this file cannot be read: .*ELOOP/)]);
  });

  it("a file that is too large, and more faults than anybody reads", () => {
    write("config/default.toml", `#${"x".repeat(64 * 1024)}`);
    expect(faultsOf()).toEqual(["- config/default.toml: this file is larger than 65536 bytes."]);
    write("config/default.toml", Array.from({ length: 60 }, (_, index) => `x${index} = 1\n`).join(""));
    expect(faultsOf()).toHaveLength(51);
    expect(faultsOf().at(-1)).toBe("- and 10 more.");
  });
});

describe("secrets", () => {
  it("are taken from the environment by their plain names, and from a file that only its owner can read", () => {
    write("config/local.toml", `[auth]\nadmin_secret = "${SECRET}"\n`);
    const { settings } = resolved({ env: { PROJECT_SECRET: SECRET } });
    expect(settings).toMatchObject({ ADMIN_SECRET: SECRET, PROJECT_SECRET: SECRET, AUTH_MODE: "project" });
  });

  it("are refused in a file that others can read, and on a command line, and are never repeated", () => {
    const [inFile, inFlag] = ["f".repeat(32), "c".repeat(32)];
    write("config/local.toml", `[auth]\nadmin_secret = "${inFile}"\n`, 0o644);
    const flags = [{ flag: "--var PROJECT_SECRET", option: "PROJECT_SECRET", text: inFlag }];
    const faults = faultsOf({ flags, env: { ORIGIN_SECRET: "short-s3cr3t" } });
    expect(faults).toEqual([
      expect.stringMatching(/local\.toml:2:1: auth\.admin_secret is a secret.*chmod 600.*DS_AUTH__ADMIN_SECRET/),
      expect.stringMatching(/ORIGIN_SECRET must be 32 to 512 printable characters.*it is something else/),
      expect.stringMatching(/--var PROJECT_SECRET is not allowed.*export PROJECT_SECRET/),
    ]);
    for (const text of [inFile, inFlag, "short-s3cr3t"]) expect(faults.join()).not.toContain(text);
  });

  it("are masked in the explanation, also those that are hidden", () => {
    write("config/local.toml", `[auth]\nproject_secret = "${SECRET}"\n`);
    const { values } = resolved({ env: { PROJECT_SECRET: "t".repeat(32) } });
    const text = formatConfig(values) + JSON.stringify(values);
    expect(text).not.toMatch(/s{8}|t{8}/);
    expect(text).toContain("auth.project_secret = (secret)\n    from the environment variable PROJECT_SECRET");
    expect(text).toContain("    instead of (secret) from config/local.toml:2:1");
  });
});

describe("a server on one machine", () => {
  it("has safe defaults, and says why", () => {
    expect(resolved().settings).toEqual({
      TENANCY: "single",
      AUTH_MODE: "none",
      BODIES_BYTES_MAX: "268435456",
      WEBHOOK_LOOPBACK: "allow",
      CORS_ORIGINS: "loopback",
    });
    expect(resolved().valueOf("server.host")).toBe("127.0.0.1");
    expect(valueAt("auth.mode").source).toBe("default, because no secret is set");
  });

  it.each(["PROJECT_SECRET", "DS_AUTH__ADMIN_SECRET"])("needs tokens as soon as %s is set", (name) => {
    const { settings } = resolved({ env: { [name]: SECRET } });
    expect(settings).toMatchObject({ AUTH_MODE: "project" });
    expect(settings).not.toHaveProperty("WEBHOOK_LOOPBACK");
    expect(settings).not.toHaveProperty("CORS_ORIGINS");
    const env = { [name]: SECRET, DS_AUTH__MODE: "none" };
    expect(resolved({ env }).settings).toMatchObject({ AUTH_MODE: "none" });
  });

  it.each(["0.0.0.0", "::", "10.0.0.1", "streams"])(
    "does not listen on %s without tokens, unless that is meant",
    (host) => {
      const env = { DS_SERVER__HOST: host };
      expect(faultsOf({ env })).toEqual([expect.stringContaining(`On ${host}, everybody`)]);
      const meant = resolved({ env: { ...env, DS_AUTH__MODE: "none" } });
      expect(meant.settings).toMatchObject({ OPEN_TO: "everybody" });
      expect(meant.settings).not.toHaveProperty("WEBHOOK_LOOPBACK");
      expect(resolved({ env: { ...env, ADMIN_SECRET: SECRET } }).settings).toMatchObject({ AUTH_MODE: "project" });
    },
  );
});

describe("the environment", () => {
  it("is not read for what is empty, or has another use", () => {
    const env = {
      DS_SERVER__PORT: "",
      PROJECT_SECRET: "",
      DS_ENGINE: "node",
      DS_CONTROL: "x",
      PORT: "1",
      AUTH_MODE: "x",
    };
    expect(resolved({ env }).chosen).toEqual({});
    expect(resolved({ env }).valueOf("server.port")).toBe("4437");
  });

  it("may have the filter of a program in Rust, which never is a fault", () => {
    const level = (env: Record<string, string>): string => valueAt("log.level", { env }).value;
    expect(level({ RUST_LOG: "info" })).toBe("info");
    expect(level({ RUST_LOG: "[span{x=1}]=strange" })).toBe("error");
    expect(level({ RUST_LOG: "info", DS_LOG__LEVEL: "off" })).toBe("off");
    expect(level({ RUST_LOG: "info", DS_LOG__RUST_LOG: "off" })).toBe("off");
  });
});

describe("loadConfig", () => {
  it("gives what createServer takes, with paths that begin at the working directory", () => {
    write(
      "config/default.toml",
      '[storage]\nmode = "acid"\ndata_dir = "data"\nacid_shard_count = 2\n[server]\nport = 0\n',
    );
    const { values, ...options } = loadConfig({ cwd, env: { DS_HTTP__STREAM_BASE_PATH: "/logs" } });
    expect(options).toEqual({
      host: "127.0.0.1",
      port: 0,
      storage: { mode: "acid", dataDir: join(cwd, "data"), acidShardCount: 2 },
      settings: expect.objectContaining({ STREAM_BASE_PATH: "/logs", AUTH_MODE: "none" }) as object,
    });
    expect(values).toHaveLength(new Set(OPTIONS.map(({ id }) => id)).size);
  });

  it("knows the settings of modules, under all of their names", () => {
    const modules = [tally];
    const maxOf = (env: Record<string, string>): string | undefined =>
      loadConfig({ cwd, env, modules }).settings?.["TALLY_MAX"];
    expect(maxOf({ DS_TALLY__MAX: "7" })).toBe("7");
    write("config/default.toml", "[tally]\nmax = 8\n");
    expect(maxOf({})).toBe("8");
    const { values } = loadConfig({ cwd, env: {}, modules });
    expect(values.find(({ path }) => path === "tally.max")).toMatchObject({
      name: "TALLY_MAX",
      value: "8",
      default: "1000",
    });
    expect(() => maxOf({ DS_TALLY__MAXI: "7" })).toThrow("Did you mean DS_TALLY__MAX?");
    expect(() => loadConfig({ cwd, env: {} })).toThrow("config/default.toml:2:1: no setting is called tally.max.");
  });

  it("has a certificate where there is one", () => {
    write("config/default.toml", '[tls]\ncert_path = "tls/cert.pem"\nkey_path = "/etc/key.pem"\n');
    expect(loadConfig({ cwd, env: {} }).tls).toEqual({ certPath: join(cwd, "tls/cert.pem"), keyPath: "/etc/key.pem" });
    expect(loadConfig({ cwd, env: { DS_TLS__CERT_PATH: "other.pem" } }).tls?.certPath).toBe(join(cwd, "other.pem"));
    expect(loadConfig({ cwd: join(cwd, "config"), env: {} })).not.toHaveProperty("tls");
  });

  it("leaves out what belongs to another storage mode", () => {
    const env = { DS_STORAGE__ACID_SHARD_COUNT: "2", DS_LIMITS__MAX_MEMORY_BYTES: "1048576" };
    expect(loadConfig({ cwd, env }).storage).toEqual({ mode: "file-durable", dataDir: join(cwd, ".data") });
    expect(loadConfig({ cwd, env: { ...env, DS_STORAGE__MODE: "memory" } }).storage).toMatchObject({
      mode: "memory",
      maxMemoryBytes: 1_048_576,
    });
  });
});
