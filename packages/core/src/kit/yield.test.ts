import { expect, it } from "vitest";

import { Foreground, HELD_MS_MAX } from "./yield.ts";

const START_MS = 1_800_000_000_000;

/** A thread whose clock moves only while somebody waits; appends may come and be answered meanwhile. */
class FakeThread {
  nowMs = START_MS;
  /** Before a wait ends. */
  onWait: () => void = () => undefined;
  readonly foreground = new Foreground({
    now: () => this.nowMs,
    wait: async (ms) => {
      this.nowMs += ms;
      this.onWait();
    },
  });

  /** Appends that come so long after each other, and are answered at once. */
  append(...pausesMs: readonly number[]): void {
    for (const pauseMs of pausesMs) {
      this.nowMs += pauseMs;
      this.foreground.appendStarted();
      this.foreground.appendFinished();
    }
  }

  async yieldToAppends() {
    const fromMs = this.nowMs;
    const isSpare = await this.foreground.yieldToAppends();
    return { afterMs: this.nowMs - fromMs, isSpare };
  }
}

it("nothing waits for appends where there are none", async () => {
  expect(await new FakeThread().yieldToAppends()).toEqual({ afterMs: 1, isSpare: false });
});

it("after an answer, other work waits a moment in which the client can send its next append", async () => {
  const thread = new FakeThread();
  thread.append(5_000);
  expect(await thread.yieldToAppends()).toEqual({ afterMs: 3, isSpare: false });
});

it("endless appends delay other work for a bounded time, and then only a little of it may begin", async () => {
  const thread = new FakeThread();
  thread.onWait = () => thread.append(0);
  expect(await thread.yieldToAppends()).toEqual({ afterMs: HELD_MS_MAX, isSpare: true });
});

it("an append that never ends, because its client is gone, delays nothing", async () => {
  const thread = new FakeThread();
  thread.nowMs += 5_000;
  thread.foreground.appendStarted();
  thread.nowMs += 1_000;
  expect(await thread.yieldToAppends()).toEqual({ afterMs: 1, isSpare: false });
});

it("while appends come again and again the thread rests longer than the work took", async () => {
  const thread = new FakeThread();
  thread.append(100, 20);
  thread.nowMs += 10;
  thread.onWait = () => {
    thread.onWait = () => undefined;
    thread.nowMs += 4;
  };
  expect(await thread.yieldToAppends()).toEqual({ afterMs: 11, isSpare: true });
});

it("rests until no append has come for eight times as long as usual, and does not rest for rare appends", async () => {
  const thread = new FakeThread();
  thread.append(100, 20);
  thread.nowMs += 150;
  expect((await thread.yieldToAppends()).isSpare).toBe(true);
  thread.nowMs += 10;
  expect((await thread.yieldToAppends()).isSpare).toBe(false);
  thread.append(1_000, 300);
  thread.nowMs += 10;
  expect((await thread.yieldToAppends()).isSpare).toBe(false);
});

it("continues when the clock is set back", async () => {
  const thread = new FakeThread();
  thread.append(5_000);
  thread.nowMs -= 1_000;
  expect((await thread.yieldToAppends()).afterMs).toBe(1);
});
