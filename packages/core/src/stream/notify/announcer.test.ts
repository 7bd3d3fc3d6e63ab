import { expect, it } from "vitest";

import { createOf, newHost, streamOn, type Host } from "../../../test/stream-fixture.ts";
import type { StreamReport } from "../../contracts/project.ts";
import type { DirectoryApi } from "../host.ts";

interface Told {
  readonly host: Host & { directory: DirectoryApi };
  readonly reports: StreamReport[];
  /** The directory fails as long as this is set. */
  isDown: boolean;
}

function newTold(): Told {
  const reports: StreamReport[] = [];
  const told: { isDown: boolean } = { isDown: false };
  const directory: DirectoryApi = {
    note: async (report) => {
      if (told.isDown) throw new Error("injected");
      reports.push(report);
      return null;
    },
  };
  return Object.assign(told, { host: Object.assign(newHost(), { directory }), reports });
}

/** The alarm fires when it is due, in a new life of the object. @returns after how long. */
async function fire({ host }: Told): Promise<number> {
  const afterMs = (host.alarmAtMs ?? host.nowMs) - host.nowMs;
  host.nowMs += Math.max(0, afterMs);
  await streamOn(host).alarm();
  return afterMs;
}

it("a directory that does not answer is told again, after pauses that double up to half a minute, and then no more", async () => {
  const told = newTold();
  await streamOn(told.host).create(createOf());
  told.isDown = true;
  const pauses: number[] = [];
  for (let tries = 0; tries < 7; tries += 1) pauses.push(await fire(told));
  expect(pauses.slice(1, 5).map((ms) => Math.round(ms / 1_000))).toEqual([2, 3, 6, 12]);
  expect(pauses.at(-1)).toBe(30_000);
  told.isDown = false;
  await fire(told);
  expect([told.reports.length, told.host.alarmAtMs]).toEqual([1, undefined]);
});

it("an object that dies while it tells the directory tells it within seconds", async () => {
  const told = newTold();
  await streamOn(told.host).create(createOf());
  told.host.nowMs = told.host.alarmAtMs ?? 0;
  told.host.directory.note = () => new Promise(() => undefined);
  void streamOn(told.host).alarm();
  await new Promise((resolve) => void setImmediate(resolve));
  expect((told.host.alarmAtMs ?? Infinity) - told.host.nowMs).toBeLessThanOrEqual(2_000);
});
