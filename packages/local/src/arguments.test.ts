import { describe, expect, it } from "vitest";

import { formatHelp, parseArguments } from "./arguments.ts";
import { EXIT, Failure } from "./failure.ts";

describe("parseArguments", () => {
  it("chooses nothing by default", () => {
    expect(parseArguments([])).toEqual({
      flags: [],
      profile: undefined,
      configFile: undefined,
      configDir: undefined,
      instead: undefined,
      quiet: false,
      readyJson: false,
      help: false,
    });
  });

  it("reads every flag, and splits --var at its first colon only", () => {
    const argv = ["--engine", "workerd", "--port=0", "--host", "[::1]", "--data-dir", "/d", "--var", "A:http://x:1"];
    const more = ["--var", "B:", "--metrics-port=0", "--drain-seconds", "30", "--quiet", "--ready-json", "-h"];
    const files = ["--profile", "prod", "--config", "x.toml", "--config-dir=etc", "--check-config"];
    expect(parseArguments([...argv, ...more, ...files])).toEqual({
      flags: [
        { flag: "--engine", option: "server.engine", text: "workerd" },
        { flag: "--port", option: "server.port", text: "0" },
        { flag: "--host", option: "server.host", text: "[::1]" },
        { flag: "--data-dir", option: "storage.data_dir", text: "/d" },
        { flag: "--metrics-port", option: "server.metrics_port", text: "0" },
        { flag: "--drain-seconds", option: "server.drain_secs", text: "30" },
        { flag: "--var A", option: "A", text: "http://x:1" },
        { flag: "--var B", option: "B", text: "" },
      ],
      profile: "prod",
      configFile: "x.toml",
      configDir: "etc",
      instead: "check",
      quiet: true,
      readyJson: true,
      help: true,
    });
    expect(parseArguments(["--explain-config"]).instead).toBe("explain");
  });

  it.each([
    [["--prot", "1"], "--prot"],
    [["here"], "here"],
    [["--port"], "--port"],
    [["--var", "LOG_LEVEL=info"], "LOG_LEVEL=info"],
    [["--var", ":info"], ":info"],
    [["--quiet=yes"], "--quiet"],
  ])("refuses %j, and names the wrong argument and a fix", (argv, culprit) => {
    const failure = failureOf(() => parseArguments(argv));
    expect(failure.exitCode).toBe(EXIT.usage);
    expect(failure.message).toContain(culprit);
    expect(failure.message).not.toContain("\n");
    expect(failure.fix).toMatch(/--|flags are/);
  });

  it("has help that says how to get HTTPS", () => {
    expect(formatHelp("x")).toMatch(/HTTPS.*DS_TLS__CERT_PATH.*proxy/);
  });

  it("has a line of help for each flag", () => {
    for (const flag of [
      "port",
      "engine",
      "host",
      "data-dir",
      "var",
      "metrics-port",
      "drain-seconds",
      "profile",
      "config",
      "config-dir",
      "explain-config",
      "check-config",
      "quiet",
      "ready-json",
      "help",
    ]) {
      expect(formatHelp("x")).toMatch(new RegExp(`^  --${flag} `, "m"));
    }
  });
});

function failureOf(action: () => unknown): Failure {
  try {
    action();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("expected a Failure");
}
