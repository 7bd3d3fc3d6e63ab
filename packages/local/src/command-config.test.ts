import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { parseArguments } from "./arguments.ts";
import { commandConfig, type CommandConfig, type CommandSources } from "./command-config.ts";
import { EXIT, Failure } from "./failure.ts";

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "command-"));
  mkdirSync(join(cwd, "config"));
});

afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const configOf = (argv: readonly string[], sources: Partial<CommandSources> = {}): CommandConfig =>
  commandConfig(parseArguments(argv), { env: {}, cwd, dataDir: "/default", ...sources });

function failureOf(argv: readonly string[], sources: Partial<CommandSources> = {}): Failure {
  try {
    configOf(argv, sources);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("expected a Failure");
}

it("[SC11] the server listens on loopback, port 4437, by default", () => {
  expect(configOf([])).toMatchObject({
    engine: "node",
    host: "127.0.0.1",
    port: 4437,
    dataDir: "/default",
    storage: { mode: "file-durable" },
    settings: {},
    metricsPort: undefined,
    drainMs: 5_000,
  });
});

it("a flag overrides a variable, which overrides a file; an address in brackets is one", () => {
  writeFileSync(
    join(cwd, "config/default.toml"),
    '[server]\nport = 1\nmetrics_port = 2\ndrain_secs = 3\nengine = "workerd"\n[storage]\ndata_dir = "there"\n',
  );
  const env = { DS_SERVER__METRICS_PORT: "5", DS_SERVER__DRAIN_SECS: "6", DS_LOG__LEVEL: "off" };
  const argv = ["--host", "[::1]", "--drain-seconds", "7", "--var", "LOG_LEVEL:info", "--var", "LOG_LEVEL:error"];
  expect(configOf(argv, { env })).toMatchObject({
    engine: "workerd",
    host: "::1",
    port: 1,
    dataDir: join(cwd, "there"),
    settings: { LOG_LEVEL: "error" },
    metricsPort: 5,
    drainMs: 7_000,
  });
});

it("a setting by its plain name has the plain notation", () => {
  const argv = ["--var", "LONG_POLL_TIMEOUT_MS:2500", "--var", "LOG_LEVEL:off"];
  expect(configOf(argv).settings).toEqual({ LONG_POLL_TIMEOUT_MS: "2500", LOG_LEVEL: "off" });
  expect(failureOf(["--var", "LONG_POLL_TIMEOUT_MS:3"]).message).toContain("a whole number from 100 to 25000");
});

it("the file and the folder are named by flags", () => {
  mkdirSync(join(cwd, "etc"));
  writeFileSync(join(cwd, "etc/prod.toml"), "[server]\nport = 1\n[limits]\nmax_readers = 3\n");
  writeFileSync(join(cwd, "x.toml"), "[server]\nport = 2\n");
  expect(configOf(["--config-dir", "etc", "--profile", "prod", "--config", "x.toml"])).toMatchObject({
    port: 2,
    settings: { READERS_MAX: "3" },
  });
});

describe("what is wrong ends the command with exit code 2, before anything is started", () => {
  it.each([
    [["--port", "65536"], '--port must be a whole number from 0 to 65535, but it is "65536".'],
    [["--port", "80a"], '"80a"'],
    [["--port", ""], "--port must"],
    [["--metrics-port", "x"], "--metrics-port must"],
    [["--drain-seconds", "3601"], "--drain-seconds must"],
    [["--drain-seconds=-1"], "--drain-seconds must"],
    [["--host", "a b"], "--host must"],
    [["--data-dir", ""], "--data-dir must"],
    [["--engine", "bun"], "--engine must be node or workerd"],
    [["--var", "LOG_LEVLE:info"], "Did you mean LOG_LEVEL?"],
    [["--var", "ADMIN_SECRET:x"], "export ADMIN_SECRET="],
    [["--host", "0.0.0.0"], "AUTH_MODE"],
    [["--profile", "prod"], "prod.toml: this file does not exist"],
  ])("%j", (argv, fault) => {
    const failure = failureOf(argv);
    expect(failure.exitCode).toBe(EXIT.usage);
    expect(failure.message).toContain(fault);
    expect(failure.fix).toContain("docs/configuration.md");
  });

  it("all of it at once", () => {
    writeFileSync(join(cwd, "config/default.toml"), "[server]\nprot = 1\n");
    const { message } = failureOf(["--port", "x"], { env: { DS_SERVER__HOTS: "x" } });
    expect(message.split("\n")).toEqual([
      "The configuration is invalid:",
      "- config/default.toml:2:1: no setting is called server.prot. Did you mean server.port?",
      "- the environment: no setting is called DS_SERVER__HOTS. Did you mean DS_SERVER__HOST?",
      '- --port must be a whole number from 0 to 65535, but it is "x".',
    ]);
  });
});
