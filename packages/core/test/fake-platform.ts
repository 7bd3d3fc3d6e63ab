import type { Alarms, AlarmOutcome, AlarmPurpose } from "../src/kit/alarms.ts";

export const START_MS = 1_800_000_000_000;
export const RETRY_MS = 30_000;

/** A host's one alarm, and what survives a crash of its object. */
export class FakePlatform {
  nowMs = START_MS;
  alarmAtMs: number | undefined;
  /** How often the alarm was set or cleared: each is a row. */
  writes = 0;
  readonly reports: string[] = [];
  /** What has run, in order. */
  readonly ran: string[] = [];

  now(): number {
    return this.nowMs;
  }

  setAlarm(atMs: number): void {
    this.writes += 1;
    this.alarmAtMs = atMs;
  }

  clearAlarm(): void {
    this.writes += 1;
    this.alarmAtMs = undefined;
  }

  report(message: string): void {
    this.reports.push(message);
  }

  /** As the runtime does it: the alarm is not set any more while it fires. */
  fire(alarms: Alarms): Promise<void> {
    this.nowMs = Math.max(this.nowMs, this.alarmAtMs ?? 0);
    this.alarmAtMs = undefined;
    return alarms.fire();
  }

  /** When the alarm fires, from now on. */
  get inMs(): number | undefined {
    return this.alarmAtMs === undefined ? undefined : this.alarmAtMs - this.nowMs;
  }
}

/** A purpose that is due by a row. */
export class Row {
  atMs: number | undefined;
  outcome: () => Promise<AlarmOutcome> | AlarmOutcome = () => (this.atMs = undefined);

  purpose(name: string, platform: FakePlatform, options: Partial<AlarmPurpose> = {}): AlarmPurpose {
    return {
      name,
      retryMs: RETRY_MS,
      dueAtMs: () => this.atMs,
      run: () => {
        platform.ran.push(name);
        return this.outcome();
      },
      ...options,
    };
  }
}
