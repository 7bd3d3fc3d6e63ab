import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { expect, it, onTestFinished } from "vitest";

import { parseArguments } from "./arguments.ts";
import { commandConfig } from "./command-config.ts";

const UNIT = readFileSync(fileURLToPath(new URL("../durable-streams.service", import.meta.url)), "utf8");
const PROGRAM = "/usr/local/bin/durable-streams";
const SYSTEMD_ANALYZE = "/usr/bin/systemd-analyze";

it("the unit uses only flags that exist, and gives the server more time to stop than it needs", () => {
  const [, command = ""] = /^ExecStart=(.*)$/m.exec(UNIT) ?? [];
  const [program, subcommand, ...flags] = command.split(" ");
  expect([program, subcommand]).toEqual([PROGRAM, "serve"]);
  const { drainMs, dataDir, settings } = commandConfig(parseArguments(flags), { env: {}, cwd: "/none", dataDir: "" });
  const [, stopSeconds] = /^TimeoutStopSec=(\d+)$/m.exec(UNIT) ?? [];
  expect(Number(stopSeconds)).toBeGreaterThan(drainMs / 1000);
  const [, stateDirectory = ""] = /^StateDirectory=(.*)$/m.exec(UNIT) ?? [];
  expect(dataDir).toBe(`/none/%S/${stateDirectory}`);
  expect(settings).toEqual({ AUTH_MODE: "project" });
});

it("the image uses only flags that exist, keeps its data in its volume, and asks for tokens", () => {
  const dockerfile = readFileSync(fileURLToPath(new URL("../Dockerfile", import.meta.url)), "utf8");
  const listAfter = (word: string): string[] =>
    JSON.parse(new RegExp(`^${word} (\\[.*\\])$`, "m").exec(dockerfile)?.[1] ?? "[]") as string[];
  const [program, subcommand, ...flags] = [...listAfter("ENTRYPOINT"), ...listAfter("CMD")];
  expect([program, subcommand]).toEqual(["durable-streams", "serve"]);
  const config = commandConfig(parseArguments(flags), { env: {}, cwd: "/none", dataDir: "" });
  expect([config.host, config.settings]).toEqual(["0.0.0.0", { AUTH_MODE: "project" }]);
  expect(dockerfile).toContain(`\nVOLUME ${config.dataDir}\nEXPOSE ${config.port}\n`);
});

const hasSystemd = existsSync(SYSTEMD_ANALYZE);
if (!hasSystemd) process.stderr.write(`\n!! ${SYSTEMD_ANALYZE} is not there: the unit is NOT verified.\n\n`);

it.skipIf(!hasSystemd)("systemd has nothing against the unit", () => {
  const directory = mkdtempSync(join(tmpdir(), "unit-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "durable-streams.service");
  // systemd checks that the program exists.
  writeFileSync(path, UNIT.replace(PROGRAM, "/bin/true"));
  const { status, stderr } = spawnSync(SYSTEMD_ANALYZE, ["verify", "--man=no", path], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});
