import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { commandOf, endOrphan, endsWithin, isRunning, processRecordPath, readProcessRecord } from "./process-record.ts";

let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "record-"));
});

afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

function record(pid: number, command: string): void {
  writeFileSync(processRecordPath(dataDir), `${pid}\n${command}\n43\n`);
}

async function startSleeper() {
  const sleeper = spawn("sleep", ["60"]);
  await once(sleeper, "spawn");
  return { sleeper, pid: sleeper.pid ?? 0, exited: once(sleeper, "exit") };
}

it("reads what the guard writes, and ignores a missing or incomplete record", () => {
  expect(readProcessRecord(dataDir)).toBeUndefined();
  record(42, "/bin/workerd serve --binary");
  expect(readProcessRecord(dataDir)).toEqual({ pid: 42, command: "/bin/workerd serve --binary", watcherPid: 43 });
  for (const half of ["42\n", "42\n/bin/workerd\n", "42\n/bin/workerd\n0\n", "0\n/bin/workerd\n43\n"]) {
    writeFileSync(processRecordPath(dataDir), half);
    expect(readProcessRecord(dataDir)).toBeUndefined();
  }
});

it("ends the recorded process", async () => {
  const { pid, exited } = await startSleeper();
  record(pid, commandOf(pid));
  await endOrphan(dataDir);
  expect((await exited)[1]).toBe("SIGKILL");
  expect(readProcessRecord(dataDir)).toBeUndefined();
});

it("does not end another process that got the recorded number", async () => {
  const { sleeper, pid, exited } = await startSleeper();
  record(pid, "/bin/workerd serve --binary");
  await endOrphan(dataDir);
  expect(isRunning({ pid, command: commandOf(pid) })).toBe(true);
  sleeper.kill();
  await exited;
});

it("waits for the end of a process no longer than the given time", async () => {
  const { sleeper, pid, exited } = await startSleeper();
  const running = { pid, command: commandOf(pid) };
  expect(await endsWithin(running, 20)).toBe(false);
  sleeper.kill();
  expect(await endsWithin(running, 5_000)).toBe(true);
  await exited;
});
