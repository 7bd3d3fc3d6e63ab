import { once } from "node:events";

import { expect, it, onTestFinished, vi } from "vitest";

import { takeSignals } from "./signals.ts";

it("is the only one to hear a signal, once, however often it was called", async () => {
  const before = process.listeners("SIGHUP");
  onTestFinished(() => {
    process.removeAllListeners("SIGHUP");
    for (const listener of before) process.on("SIGHUP", listener);
  });
  const library = vi.fn<() => void>();
  const ours = vi.fn<() => void>();
  takeSignals(ours);
  process.on("SIGHUP", library);
  takeSignals(ours);
  const arrived = once(process, "SIGHUP");
  process.kill(process.pid, "SIGHUP");
  await arrived;
  expect(ours).toHaveBeenCalledOnce();
  expect(library).not.toHaveBeenCalled();
});
