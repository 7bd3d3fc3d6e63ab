import { expect, it } from "vitest";

import { FakePlatform, RETRY_MS, Row } from "../../test/fake-platform.ts";
import { Alarms, type AlarmOutcome } from "./alarms.ts";

/** An object with three purposes that fail, have more to do or fall due again as it is drawn, and that crashes. */
class Unreliable {
  readonly platform = new FakePlatform();
  readonly rows = [new Row(), new Row(), new Row()];
  isReliable = false;
  readonly #draw: (below: number) => number;
  #crash: () => void = () => undefined;
  alarms: Alarms;

  constructor(draw: (below: number) => number) {
    this.#draw = draw;
    this.alarms = this.#boot();
  }

  /** Nothing that was under way goes on. */
  crash(): void {
    this.#crash();
    this.alarms = this.#boot();
  }

  #boot(): Alarms {
    const { platform } = this;
    let isOver = false;
    this.#crash = () => void (isOver = true);
    const alarms = new Alarms({
      now: () => platform.nowMs,
      setAlarm: (atMs) => isOver || platform.setAlarm(atMs),
      clearAlarm: () => isOver || platform.clearAlarm(),
      report: () => undefined,
    });
    for (const [index, row] of this.rows.entries()) {
      const run = async (): Promise<AlarmOutcome> => {
        await Promise.resolve();
        return isOver ? new Promise<never>(() => undefined) : this.#outcomeOf(row);
      };
      alarms.add(row.purpose(String(index), platform, { delayMs: index * 100, run }));
    }
    return alarms;
  }

  #outcomeOf(row: Row): AlarmOutcome {
    if (!this.isReliable && this.#draw(5) === 0) return "failed";
    if (!this.isReliable && this.#draw(5) === 0) return "more";
    row.atMs = !this.isReliable && this.#draw(4) === 0 ? this.platform.nowMs + this.#draw(5_000) : undefined;
    return undefined;
  }
}

it("no crash at any moment forgets a purpose, and the alarm comes to rest", async () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const draw = drawing(seed);
    const object = new Unreliable(draw);
    const { platform, rows } = object;
    for (let step = 0; step < 40; step += 1) {
      if (draw(3) === 0) {
        (rows[draw(3)] as Row).atMs = platform.nowMs + draw(10_000);
        object.alarms.arm();
      }
      if (draw(4) === 0) object.crash();
      if (platform.alarmAtMs === undefined) continue;
      const fired = platform.fire(object.alarms);
      // In the middle of it.
      if (draw(3) === 0) object.crash();
      else await fired;
      await new Promise((resolve) => setImmediate(resolve));
      const dueAtMs = Math.min(...rows.map(({ atMs }) => atMs ?? Infinity));
      const latestMs = Math.max(dueAtMs, platform.nowMs) + RETRY_MS;
      expect(platform.alarmAtMs ?? (dueAtMs === Infinity ? 0 : Infinity), `seed ${seed}`).toBeLessThanOrEqual(latestMs);
    }
    object.isReliable = true;
    for (let firings = 0; platform.alarmAtMs !== undefined; firings += 1) {
      if (firings > 20) throw new Error(`The alarm never rests (seed ${seed}).`);
      await platform.fire(object.alarms);
    }
    expect(rows.map(({ atMs }) => atMs)).toEqual([undefined, undefined, undefined]);
  }
});

/** Numbers below a limit, the same for each run of the test. */
function drawing(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
