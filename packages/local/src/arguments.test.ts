import { describe, expect, it } from "vitest";

import { formatHelp, parseArguments } from "./arguments.ts";
import { EXIT, Failure } from "./failure.ts";

describe("parseArguments", () => {
  it("[SC11] listens on loopback, port 4437, by default", () => {
    expect(parseArguments([])).toEqual({
      engine: "node",
      host: "127.0.0.1",
      port: 4437,
      dataDir: undefined,
      variables: {},
      metricsPort: undefined,
      drainSeconds: 5,
      quiet: false,
      readyJson: false,
      help: false,
    });
  });

  it("reads every flag, and splits --var at its first colon only", () => {
    const argv = [
      "--engine",
      "workerd",
      "--port=0",
      "--host",
      "[::1]",
      "--data-dir",
      "/d",
      "--var",
      "A:http://x:1",
      "--var",
      "B:",
      "--quiet",
    ];
    expect(parseArguments([...argv, "--metrics-port=0", "--drain-seconds", "30", "--ready-json", "-h"])).toEqual({
      engine: "workerd",
      host: "::1",
      port: 0,
      dataDir: "/d",
      variables: { A: "http://x:1", B: "" },
      metricsPort: 0,
      drainSeconds: 30,
      quiet: true,
      readyJson: true,
      help: true,
    });
  });

  it("uses the last --var of a name", () => {
    expect(parseArguments(["--var", "A:1", "--var", "A:2"]).variables).toEqual({ A: "2" });
  });

  it.each([
    [["--prot", "1"], "--prot"],
    [["here"], "here"],
    [["--port"], "--port"],
    [["--port", "65536"], "65536"],
    [["--port", "80a"], "80a"],
    [["--port", ""], "--port"],
    [["--metrics-port", "x"], "--metrics-port"],
    [["--drain-seconds", "3601"], "3601"],
    [["--drain-seconds", "-1"], "--drain-seconds"],
    [["--host", "a b"], "a b"],
    [["--data-dir", ""], "--data-dir"],
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

  it("has help that says how to get HTTPS, which the server does not speak", () => {
    expect(formatHelp("x")).toMatch(/plain HTTP.*HTTPS.*proxy/);
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
