import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { EXIT } from "../failure.ts";
import { errorOf, runCaptured } from "../testing/captured-io.ts";

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "explain-"));
  mkdirSync(join(cwd, "config"));
  writeFileSync(join(cwd, "config/default.toml"), "[server]\nport = 5000\n");
  writeFileSync(join(cwd, "config/prod.toml"), "[server]\nport = 6000\n");
});

afterEach(() => rmSync(cwd, { recursive: true, force: true }));

it("config explain says where each value comes from and what it hides, and masks secrets", async () => {
  const secret = "s".repeat(32);
  const env = { PROJECT_SECRET: secret, DS_LIMITS__MAX_READERS: "5" };
  const { exitCode, stdout, stderr } = await runCaptured(
    ["config", "explain", "--profile", "prod", "--var", "LOG_LEVEL:info"],
    { cwd, env },
  );
  expect([exitCode, stderr]).toEqual([EXIT.ok, ""]);
  expect(stdout).toContain(
    "server.port = 6000\n    from config/prod.toml:2:1; the default is 4437\n" +
      "    instead of 5000 from config/default.toml:2:1\n",
  );
  expect(stdout).toContain("limits.max_readers = 5\n    from the environment variable DS_LIMITS__MAX_READERS");
  expect(stdout).toContain("log.level = info\n    from --var LOG_LEVEL");
  expect(stdout).toContain("auth.mode = project  (default, because PROJECT_SECRET is set)\n");
  expect(stdout).toContain("auth.project_secret = (secret)\n");
  expect(stdout).not.toContain(secret);
});

it("config explain --json has the same for programs", async () => {
  const { stdout } = await runCaptured(["--json", "config", "explain"], { cwd });
  const { values } = JSON.parse(stdout) as { values: { path: string }[] };
  expect(values.find(({ path }) => path === "server.port")).toEqual({
    path: "server.port",
    variable: "DS_SERVER__PORT",
    name: null,
    value: "5000",
    default: "4437",
    layer: "default file",
    source: "config/default.toml:2:1",
    hidden: [],
  });
});

it("config check succeeds, or lists everything that is wrong", async () => {
  expect(await runCaptured(["config", "check"], { cwd })).toMatchObject({
    exitCode: EXIT.ok,
    stdout: expect.stringMatching(/^The configuration is valid: 1 of \d+ options/),
  });
  writeFileSync(join(cwd, "config/local.toml"), "[server]\nprot = 1\n");
  const ran = await runCaptured(["config", "check", "--json", "--port", "x"], { cwd });
  expect(ran.exitCode).toBe(EXIT.usage);
  expect(errorOf(ran)).toMatchObject({ code: "config-invalid", exitCode: EXIT.usage });
  expect(errorOf(ran).message.split("\n")).toEqual([
    "The configuration is invalid:",
    "- config/local.toml:2:1: no setting is called server.prot. Did you mean server.port?",
    '- --port must be a whole number from 0 to 65535, but it is "x".',
  ]);
});
