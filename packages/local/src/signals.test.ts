import { once } from "node:events";

import { beforeEach, expect, it, onTestFinished, vi } from "vitest";

import { keepSignals, takeSignals } from "./signals.ts";

beforeEach(() => {
  const before = process.listeners("SIGHUP");
  onTestFinished(() => {
    process.removeAllListeners("SIGHUP");
    for (const listener of before) process.on("SIGHUP", listener);
  });
});

async function hangUp(): Promise<void> {
  const arrived = once(process, "SIGHUP");
  process.kill(process.pid, "SIGHUP");
  await arrived;
}

it("after takeSignals, only its callback gets a signal, exactly once", async () => {
  const [others, ours] = [vi.fn<() => void>(), vi.fn<() => void>()];
  process.on("SIGHUP", others);
  takeSignals(ours);
  await hangUp();
  expect(ours).toHaveBeenCalledOnce();
  expect(others).not.toHaveBeenCalled();
});

it("listeners of libraries loaded in between are removed, and earlier listeners stay", async () => {
  const [library, ours] = [vi.fn<() => void>(), vi.fn<() => void>()];
  process.on("SIGHUP", ours);
  const restore = keepSignals();
  process.on("SIGHUP", library);
  restore();
  await hangUp();
  expect(ours).toHaveBeenCalledOnce();
  expect(library).not.toHaveBeenCalled();
});
