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

it("whoever takes signals is the only one to hear them, once", async () => {
  const [others, ours] = [vi.fn<() => void>(), vi.fn<() => void>()];
  process.on("SIGHUP", others);
  takeSignals(ours);
  await hangUp();
  expect(ours).toHaveBeenCalledOnce();
  expect(others).not.toHaveBeenCalled();
});

it("libraries that are loaded meanwhile hear none, and who listened before still does", async () => {
  const [library, ours] = [vi.fn<() => void>(), vi.fn<() => void>()];
  process.on("SIGHUP", ours);
  const restore = keepSignals();
  process.on("SIGHUP", library);
  restore();
  await hangUp();
  expect(ours).toHaveBeenCalledOnce();
  expect(library).not.toHaveBeenCalled();
});
