import { describe, expect, it } from "vitest";

import { FakePlatform, RETRY_MS, Row, START_MS } from "../../test/fake-platform.ts";
import { ALARM_FLOOR_MS, Alarms, type AlarmOutcome, type AlarmPurpose } from "./alarms.ts";

/** An object with two purposes that are due by rows. */
function twoRows(options: Partial<AlarmPurpose> = {}) {
  const platform = new FakePlatform();
  const first = new Row();
  const second = new Row();
  const boot = (): Alarms => {
    const alarms = new Alarms(platform);
    alarms.add(first.purpose("first", platform, options));
    alarms.add(second.purpose("second", platform, options));
    return alarms;
  };
  return { platform, first, second, boot, alarms: boot() };
}

/** An object with one purpose that is only asked for. */
function asked(outcome: () => Promise<AlarmOutcome> | AlarmOutcome = () => undefined) {
  const platform = new FakePlatform();
  const boot = () => {
    const alarms = new Alarms(platform);
    const run = (): Promise<AlarmOutcome> | AlarmOutcome => {
      platform.ran.push("asked");
      return outcome();
    };
    return { alarms, handle: alarms.add({ name: "asked", restoreMs: 60_000, retryMs: RETRY_MS, run }) };
  };
  return { platform, boot, ...boot() };
}

const fails = (): Promise<AlarmOutcome> => Promise.reject(new Error("It failed."));

describe("the earliest purpose wins", () => {
  it("the alarm is set for the purpose that is due first, and then for the next one", async () => {
    const { platform, alarms, first, second } = twoRows();
    first.atMs = START_MS + 5_000;
    second.atMs = START_MS + 2_000;
    alarms.arm();
    expect(platform.inMs).toBe(2_000);
    await platform.fire(alarms);
    expect([platform.ran, platform.inMs]).toEqual([["second"], 3_000]);
    await platform.fire(alarms);
    expect([platform.ran, platform.inMs]).toEqual([["second", "first"], undefined]);
  });

  it("a firing runs only what is due", async () => {
    const { platform, alarms, first, second } = twoRows();
    first.atMs = START_MS;
    second.atMs = START_MS + 1;
    await platform.fire(alarms);
    expect(platform.ran).toEqual(["first"]);
  });

  it("a firing that comes too early runs nothing and comes again in time", async () => {
    const { platform, alarms, first } = twoRows();
    first.atMs = START_MS + 500;
    await alarms.fire();
    expect([platform.ran, platform.inMs]).toEqual([[], 500]);
  });

  it("what an earlier purpose of a firing makes due runs in the same firing", async () => {
    const { platform, alarms, first, second } = twoRows();
    first.atMs = START_MS;
    first.outcome = async () => {
      first.atMs = undefined;
      second.atMs = START_MS;
    };
    await platform.fire(alarms);
    expect([platform.ran, platform.alarmAtMs]).toEqual([["first", "second"], undefined]);
  });

  it("a purpose that runs in every firing runs last, whatever the alarm fires for", async () => {
    const { platform, alarms, first } = twoRows();
    alarms.add({ name: "tidy", retryMs: RETRY_MS, everyFiring: true, run: () => void platform.ran.push("tidy") });
    first.atMs = START_MS + 10;
    await platform.fire(alarms);
    platform.nowMs += 10;
    await platform.fire(alarms);
    expect(platform.ran).toEqual(["tidy", "first", "tidy"]);
  });
});

describe("rows", () => {
  it("the alarm is written once for what does not change it", () => {
    const { platform, alarms, first, second } = twoRows();
    first.atMs = START_MS + 1_000;
    for (let times = 0; times < 3; times += 1) alarms.arm();
    second.atMs = START_MS + 9_000;
    alarms.arm();
    expect(platform.writes).toBe(1);
  });

  it("the alarm is written again when the first purpose comes nearer, or is not due any more", () => {
    const { platform, alarms, first, second } = twoRows();
    second.atMs = START_MS + 9_000;
    alarms.arm();
    first.atMs = START_MS + 1_000;
    alarms.arm();
    first.atMs = undefined;
    alarms.arm();
    expect([platform.writes, platform.inMs]).toEqual([3, 9_000]);
  });

  it("a purpose that returns no promise needs no guard, and one that does costs one write more", async () => {
    const { platform, alarms, first } = twoRows();
    first.atMs = START_MS;
    await platform.fire(alarms);
    expect(platform.writes).toBe(0);
    first.atMs = START_MS;
    first.outcome = async () => {
      first.atMs = START_MS + 10_000;
    };
    await platform.fire(alarms);
    expect([platform.writes, platform.inMs]).toEqual([2, 10_000]);
  });

  it("what is due may wait for its delay, and is not put off by what asks again and again", () => {
    const { platform, alarms, first } = twoRows({ delayMs: 1_000 });
    first.atMs = START_MS;
    for (let times = 0; times < 5; times += 1) {
      alarms.arm();
      platform.nowMs += 300;
      // Some due times are just "now".
      first.atMs = platform.nowMs;
    }
    expect([platform.writes, platform.alarmAtMs]).toEqual([1, START_MS + 1_000]);
    alarms.soon();
    expect(platform.alarmAtMs).toBe(START_MS + 1_000);
    platform.nowMs = START_MS + 200;
    alarms.soon();
    expect(platform.alarmAtMs).toBe(START_MS + 200);
  });

  it("an alarm that was due and has not fired is set again, but not each time", () => {
    const { platform, alarms, first } = twoRows();
    first.atMs = START_MS;
    alarms.arm();
    platform.nowMs += 1_000;
    alarms.arm();
    expect(platform.writes).toBe(1);
    platform.nowMs += 1_001;
    alarms.arm();
    alarms.arm();
    expect([platform.writes, platform.inMs]).toEqual([2, 0]);
  });

  it("an object with nothing to do neither sets nor clears an alarm", () => {
    const { platform, alarms } = twoRows();
    alarms.arm();
    expect(platform.writes).toBe(0);
  });
});

describe("failures", () => {
  it("what fails is reported and repeated by itself, ever less often, and the others go on", async () => {
    const { platform, alarms, first, second } = twoRows({ retryMsMax: 100_000 });
    first.atMs = START_MS;
    first.outcome = fails;
    second.atMs = START_MS;
    await platform.fire(alarms);
    expect([platform.ran, platform.inMs]).toEqual([["first", "second"], RETRY_MS]);
    expect(platform.reports).toEqual(['The alarm could not do its work "first"; it is repeated.']);
    const pauses: (number | undefined)[] = [];
    for (let times = 0; times < 3; times += 1) {
      await platform.fire(alarms);
      pauses.push(platform.inMs);
    }
    expect([pauses, platform.ran.slice(2)]).toEqual([
      [60_000, 100_000, 100_000],
      ["first", "first", "first"],
    ]);
  });

  it("one that throws at once is treated alike, and one that says that it failed is not reported", async () => {
    const { platform, alarms, first, second } = twoRows();
    first.atMs = START_MS;
    second.atMs = START_MS;
    first.outcome = () => {
      throw new Error("It failed at once.");
    };
    second.outcome = () => "failed";
    await platform.fire(alarms);
    expect([platform.inMs, platform.reports.length]).toEqual([RETRY_MS, 1]);
  });

  it("pauses begin anew after a success", async () => {
    const { platform, alarms, first } = twoRows({ retryMsMax: 100_000 });
    for (const outcome of [fails, fails, first.outcome, fails]) {
      first.atMs = START_MS;
      first.outcome = outcome;
      await platform.fire(alarms);
    }
    expect(platform.inMs).toBe(RETRY_MS);
  });

  it("what was asked for is repeated, too, and at once when it is asked for again", async () => {
    const { platform, alarms, handle } = asked(fails);
    handle.request(START_MS);
    await platform.fire(alarms);
    expect(platform.inMs).toBe(RETRY_MS);
    handle.request(START_MS);
    expect(platform.inMs).toBe(0);
  });

  it("what was asked for and fails is repeated soon, however much later something else of its purpose is due", async () => {
    const platform = new FakePlatform();
    const expiry = new Row();
    expiry.atMs = START_MS + 3_600_000;
    expiry.outcome = fails;
    const alarms = new Alarms(platform);
    const handle = alarms.add(expiry.purpose("deliver", platform, { restoreMs: 2_000 }));
    handle.request(START_MS);
    await platform.fire(alarms);
    expect([platform.ran, platform.inMs]).toEqual([["deliver"], RETRY_MS]);
    expiry.outcome = () => undefined;
    await platform.fire(alarms);
    expect([platform.ran, platform.inMs]).toEqual([["deliver", "deliver"], 3_600_000 - RETRY_MS]);
  });
});

describe("the alarm never spins", () => {
  it("a purpose that stays due rests, and one that says that there is more does not", async () => {
    const { platform, alarms, first } = twoRows();
    first.atMs = START_MS;
    first.outcome = () => undefined;
    await platform.fire(alarms);
    expect(platform.inMs).toBe(ALARM_FLOOR_MS);
    first.outcome = () => "more";
    await platform.fire(alarms);
    expect(platform.inMs).toBe(0);
  });

  it("a purpose that is asked for and has more to do goes on at once", async () => {
    const outcomes: AlarmOutcome[] = ["more", undefined];
    const { platform, alarms, handle } = asked(async () => outcomes.shift());
    handle.request(START_MS + 5);
    await platform.fire(alarms);
    expect(platform.inMs).toBe(0);
    await platform.fire(alarms);
    expect([platform.ran.length, platform.alarmAtMs]).toEqual([2, undefined]);
  });

  it("what falls due anew after it has run does not rest", async () => {
    const { platform, alarms, first } = twoRows();
    first.atMs = START_MS;
    await platform.fire(alarms);
    first.atMs = START_MS;
    alarms.arm();
    expect(platform.inMs).toBe(0);
  });
});

describe("while it fires", () => {
  /** A firing whose first purpose waits until the test says so. */
  function slowFiring() {
    const objects = twoRows();
    const { platform, alarms, first } = objects;
    const { promise, resolve } = Promise.withResolvers<void>();
    first.atMs = START_MS;
    first.outcome = async () => {
      await promise;
      first.atMs = undefined;
    };
    const fired = platform.fire(alarms);
    const finish = async (): Promise<void> => {
      resolve();
      await fired;
    };
    return { ...objects, finish };
  }

  it("the alarm is set for the case that the object dies", async () => {
    const { platform, finish } = slowFiring();
    expect(platform.inMs).toBe(RETRY_MS);
    await finish();
    expect(platform.alarmAtMs).toBeUndefined();
  });

  it("after a crash what was under way and what was to come run again", async () => {
    const { platform, first, second, boot } = slowFiring();
    second.atMs = START_MS;
    first.outcome = () => (first.atMs = undefined);
    await platform.fire(boot());
    expect([platform.ran, platform.alarmAtMs]).toEqual([["first", "first", "second"], undefined]);
  });

  it("what the firing gets to by itself moves no alarm", async () => {
    const { platform, alarms, second, finish } = slowFiring();
    second.atMs = START_MS;
    alarms.arm();
    expect([platform.writes, platform.inMs]).toEqual([1, RETRY_MS]);
    await finish();
    expect(platform.ran).toEqual(["first", "second"]);
  });

  it("what the firing has passed gets its alarm at once", async () => {
    const { platform, alarms, first, second } = twoRows();
    const { promise, resolve } = Promise.withResolvers<void>();
    second.atMs = START_MS;
    second.outcome = async () => {
      await promise;
      second.atMs = undefined;
    };
    const fired = platform.fire(alarms);
    first.atMs = START_MS + 7;
    alarms.arm();
    expect(platform.inMs).toBe(7);
    resolve();
    await fired;
    expect(platform.inMs).toBe(7);
  });

  it("nothing runs twice at a time, and the alarm goes on guarding what takes longer than its guard", async () => {
    const { platform, alarms, finish } = slowFiring();
    await platform.fire(alarms);
    expect([platform.ran, platform.inMs]).toEqual([["first"], RETRY_MS]);
    await finish();
    expect([platform.ran, platform.alarmAtMs]).toEqual([["first"], undefined]);
  });

  it("what is asked for while it runs runs again right after it", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { platform, alarms, handle } = asked(() => promise);
    handle.request(START_MS);
    const fired = platform.fire(alarms);
    expect(handle.isRunning).toBe(true);
    handle.request(START_MS);
    expect(platform.inMs).toBe(RETRY_MS);
    resolve();
    await fired;
    expect([handle.isRunning, platform.inMs]).toEqual([false, 0]);
  });
});

describe("a restart", () => {
  it("restores what is due by what is stored", () => {
    const { platform, first, boot } = twoRows();
    first.atMs = START_MS + 4_000;
    boot().arm();
    expect(platform.inMs).toBe(4_000);
  });

  it("what was asked for runs at the first firing, and only there", async () => {
    const { platform, handle, boot } = asked();
    handle.request(START_MS + 100);
    const { alarms } = boot();
    await platform.fire(alarms);
    await platform.fire(alarms);
    expect(platform.ran).toEqual(["asked"]);
  });

  it("what is asked for anew puts off by a bounded time what was asked for before", () => {
    const { platform, handle, boot } = asked();
    handle.request(START_MS + 100);
    boot().handle.request(START_MS + 3_600_000);
    expect(platform.inMs).toBe(60_000);
    boot().handle.request(START_MS + 5);
    expect(platform.inMs).toBe(5);
  });

  it("a time that replaces all others is kept to the millisecond", () => {
    const { platform, handle } = asked();
    handle.request(START_MS + 100);
    handle.schedule(START_MS + 3_600_000);
    expect(platform.inMs).toBe(3_600_000);
  });

  it("leaves an alarm alone that an earlier instance has set, as long as nothing else is due", () => {
    const { platform, boot } = twoRows();
    platform.alarmAtMs = START_MS + 1;
    boot().arm();
    expect([platform.writes, platform.inMs]).toEqual([0, 1]);
  });
});

describe("everything is deleted", () => {
  it("and the alarm with it, unless something is due nevertheless", async () => {
    const { platform, alarms, first } = twoRows();
    const deleteAll = async (): Promise<void> => void (platform.alarmAtMs = undefined);
    first.atMs = START_MS + 50;
    alarms.arm();
    await alarms.purge(deleteAll);
    expect(platform.inMs).toBe(50);
    first.atMs = undefined;
    await alarms.purge(deleteAll);
    expect(platform.alarmAtMs).toBeUndefined();
  });

  it("in a firing, and the guard with it: nothing is written behind that", async () => {
    const { platform, alarms, first } = twoRows();
    const steps: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const deleteAll = (): Promise<void> => {
      steps.push(`guarded for ${platform.inMs}`);
      platform.alarmAtMs = undefined;
      first.atMs = undefined;
      return promise;
    };
    first.atMs = START_MS;
    first.outcome = () => alarms.purge(deleteAll);
    const fired = platform.fire(alarms);
    const { writes } = platform;
    resolve();
    await fired;
    expect([steps, platform.writes, platform.alarmAtMs]).toEqual([[`guarded for ${RETRY_MS}`], writes, undefined]);
  });

  it("and what is asked for meanwhile has an alarm", async () => {
    const { platform, alarms, handle } = asked();
    handle.request(START_MS + 50);
    const { promise, resolve } = Promise.withResolvers<void>();
    const purged = alarms.purge(() => {
      platform.alarmAtMs = undefined;
      return promise;
    });
    handle.request(START_MS + 20);
    expect(platform.inMs).toBe(20);
    resolve();
    await purged;
    expect(platform.inMs).toBe(20);
  });
});

it("an object that was reset while its alarm was at work leaves no rejection behind", async () => {
  const rejections: unknown[] = [];
  const note = (error: unknown): void => void rejections.push(error);
  process.on("unhandledRejection", note);
  const reset = (): never => {
    throw new Error("The object was reset.");
  };
  const { platform, alarms } = asked(async () => {
    platform.setAlarm = reset;
    await Promise.resolve();
    return reset();
  });
  await expect(platform.fire(alarms)).rejects.toThrow("The object was reset.");
  await new Promise((resolve) => void setImmediate(resolve));
  process.off("unhandledRejection", note);
  expect(rejections).toEqual([]);
});
