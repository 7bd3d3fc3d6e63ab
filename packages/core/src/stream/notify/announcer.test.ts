import { expect, it } from "vitest";

import { createOf, newHost, streamOn, type Host } from "../../../test/stream-fixture.ts";
import type { StreamReport } from "../../contracts/project.ts";
import type { DirectoryApi } from "../host.ts";

interface Receiver {
  readonly host: Host & { directory: DirectoryApi };
  readonly reports: StreamReport[];
  /** The directory fails as long as this is set. */
  isDown: boolean;
}

function newReceiver(): Receiver {
  const reports: StreamReport[] = [];
  const notified: { isDown: boolean } = { isDown: false };
  const directory: DirectoryApi = {
    note: async (report) => {
      if (notified.isDown) throw new Error("injected");
      reports.push(report);
      return null;
    },
  };
  return Object.assign(notified, { host: Object.assign(newHost(), { directory }), reports });
}

/** The alarm fires when it is due, in a new instance of the object. @returns after how long. */
async function fire({ host }: Receiver): Promise<number> {
  const afterMs = (host.alarmAtMs ?? host.nowMs) - host.nowMs;
  host.nowMs += Math.max(0, afterMs);
  await streamOn(host).alarm();
  return afterMs;
}

it("a directory that does not answer is notified again, after pauses that double up to half a minute, until it answers", async () => {
  const notified = newReceiver();
  await streamOn(notified.host).create(createOf());
  notified.isDown = true;
  const pauses: number[] = [];
  for (let tries = 0; tries < 7; tries += 1) pauses.push(await fire(notified));
  expect(pauses.slice(1, 5).map((ms) => Math.round(ms / 1_000))).toEqual([2, 3, 6, 12]);
  expect(pauses.at(-1)).toBe(30_000);
  notified.isDown = false;
  await fire(notified);
  expect([notified.reports.length, notified.host.alarmAtMs]).toEqual([1, undefined]);
});

it("[IN18] an object that dies while it notifies the directory notifies it within seconds", async () => {
  const notified = newReceiver();
  await streamOn(notified.host).create(createOf());
  notified.host.nowMs = notified.host.alarmAtMs ?? 0;
  notified.host.directory.note = () => new Promise(() => undefined);
  void streamOn(notified.host).alarm();
  await new Promise((resolve) => void setImmediate(resolve));
  expect((notified.host.alarmAtMs ?? Infinity) - notified.host.nowMs).toBeLessThanOrEqual(2_000);
});
