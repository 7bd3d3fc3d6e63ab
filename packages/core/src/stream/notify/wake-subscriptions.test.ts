import { expect, it } from "vitest";

import { appendOf, createOf, newHost, START_MS, streamOn, type Host } from "../../../test/stream-fixture.ts";
import type { StreamNotification, WantResult } from "../../contracts/wakes.ts";
import type { Stream } from "../stream.ts";

const CONSUMER = "project/sub";

async function newStream(host: Host): Promise<Stream> {
  const stream = streamOn(host);
  await stream.create(createOf());
  return stream;
}

async function want(stream: Stream, sinceMs: number, consumer = CONSUMER): Promise<WantResult> {
  const result = await stream.wakeSubscriptions.want({ consumer, sinceMs });
  if (!result.ok) throw new Error(result.problem.detail);
  return result;
}

/** The notifications that the subscriptions of a host get; each answer is taken from `answers`, then it is yes. */
function notified(host: Host, answers: (boolean | undefined)[] = []): StreamNotification[] {
  const notification: StreamNotification[] = [];
  host.consumers = (_consumer, each) => {
    notification.push(each);
    return answers.length > 0 ? answers.shift() : true;
  };
  return notification;
}

function positions(notification: readonly StreamNotification[]): number[] {
  return notification.map(({ tail }) => Number(tail.slice(17)));
}

async function settled(): Promise<void> {
  await new Promise((resolve) => void setImmediate(resolve));
}

it("[SU17] [IN17] an append to a stream that no subscription wants notifies nobody and sets no alarm", async () => {
  const host = newHost();
  const notification = notified(host);
  const stream = await newStream(host);
  await stream.append(appendOf("x"));
  await settled();
  expect([notification.length, host.alarmsSet]).toEqual([0, 0]);
});

it("[IN18] whoever wants a stream is notified of what is appended after that", async () => {
  const host = newHost();
  const notification = notified(host);
  const stream = await newStream(host);
  await stream.append(appendOf("old"));
  const result = await want(stream, START_MS);
  expect([result.from, result.tail].map((offset) => offset.slice(17))).toEqual(
    [3, 3].map((end) => `${end}`.padStart(16, "0")),
  );
  await stream.append(appendOf("new"));
  await settled();
  expect(notification).toMatchObject([{ stream: "stream", incarnation: result.incarnation }]);
  expect(positions(notification)).toEqual([6]);
});

it("[SU8] notifications begin at the instant that the subscription names, however late it asks", async () => {
  const host = newHost();
  const stream = await newStream(host);
  for (const text of ["a", "b", "c"]) {
    host.nowMs += 10;
    await stream.append(appendOf(text));
  }
  const from = async (sinceMs: number): Promise<number> => Number((await want(stream, sinceMs)).from.slice(17));
  expect(await Promise.all([START_MS, START_MS + 10, START_MS + 25, START_MS + 99].map(from))).toEqual([0, 1, 2, 3]);
});

it("commits that come during a notification share the next one", async () => {
  const host = newHost();
  const notification = notified(host);
  const stream = await newStream(host);
  await want(stream, START_MS);
  await Promise.all(["a", "b", "c", "d"].map((text) => stream.append(appendOf(text))));
  await settled();
  expect(notification.length).toBeLessThan(4);
  expect(positions(notification).at(-1)).toBe(4);
});

it("[IN18] a stream that dies between the commit and the notification notifies by its alarm", async () => {
  const host = newHost();
  const stream = await newStream(host);
  await want(stream, START_MS);
  // The write is durable, and then the object is gone.
  host.onSyncOnce(() => new Promise(() => undefined));
  void stream.append(appendOf("x"));
  await settled();
  const notification = notified(host);
  expect(host.alarmAtMs).toBeLessThanOrEqual(host.nowMs + 2_000);
  host.nowMs = host.alarmAtMs ?? 0;
  await streamOn(host).alarm();
  await settled();
  expect(positions(notification)).toEqual([1]);
});

it("a subscription that does not answer is notified again by the alarm, until it does; then no alarm is set", async () => {
  const host = newHost();
  const notification = notified(host, [undefined, undefined]);
  const stream = await newStream(host);
  await want(stream, START_MS);
  await stream.append(appendOf("x"));
  for (let firings = 0; host.alarmAtMs !== undefined; firings += 1) {
    expect(firings).toBeLessThan(6);
    await settled();
    host.nowMs = host.alarmAtMs;
    host.alarmAtMs = undefined;
    await stream.alarm();
    await settled();
  }
  expect(positions(notification)).toEqual([1, 1, 1]);
});

it("a stream that was just loaded sets its alarm for an append all the same", async () => {
  const host = newHost();
  await want(await newStream(host), START_MS);
  const notification = notified(host, [undefined, undefined]);
  const stream = streamOn(host);
  stream.head();
  await settled();
  await stream.append(appendOf("x"));
  await settled();
  host.nowMs = host.alarmAtMs ?? 0;
  await streamOn(host).alarm();
  await settled();
  expect(positions(notification).at(-1)).toBe(1);
  expect(notification).toHaveLength(3);
});

it("appends that follow each other set one alarm in two seconds, not one each", async () => {
  const host = newHost();
  notified(host);
  const stream = await newStream(host);
  await want(stream, START_MS);
  for (let count = 0; count < 50; count += 1) {
    await stream.append(appendOf("x"));
    await settled();
  }
  expect(host.alarmsSet).toBe(1);
});

it("a subscription that no longer wants the stream is not notified, also after a restart", async () => {
  const host = newHost();
  const notification = notified(host, [false]);
  const stream = await newStream(host);
  await want(stream, START_MS);
  for (const text of ["a", "b"]) {
    await stream.append(appendOf(text));
    await settled();
  }
  await streamOn(host).append(appendOf("c"));
  await settled();
  expect(positions(notification)).toEqual([1]);
});

it("a subscription that asks again while its refusal is under way is notified as before", async () => {
  const host = newHost();
  const stream = await newStream(host);
  await want(stream, START_MS);
  const notification: StreamNotification[] = [];
  host.consumers = (_consumer, each) => {
    notification.push(each);
    if (notification.length > 1) return true;
    void stream.wakeSubscriptions.want({ consumer: CONSUMER, sinceMs: START_MS });
    return false;
  };
  for (const text of ["a", "b"]) {
    await stream.append(appendOf(text));
    await settled();
  }
  expect(positions(notification)).toEqual([1, 2]);
});

it("64 subscriptions are woken by one stream at the most", async () => {
  const stream = await newStream(newHost());
  for (let count = 0; count < 64; count += 1) await want(stream, START_MS, `project/${count}`);
  expect(await stream.wakeSubscriptions.want({ consumer: CONSUMER, sinceMs: START_MS })).toMatchObject({
    problem: { code: "subscriptions-full" },
  });
  await want(stream, START_MS, "project/7");
});

it("a stream that does not exist cannot be wanted, and asking stores nothing", async () => {
  const host = newHost();
  const result = await streamOn(host).wakeSubscriptions.want({ consumer: CONSUMER, sinceMs: START_MS });
  expect(result).toMatchObject({ problem: { code: "stream-not-found" } });
  expect(host.database.tableNames()).toEqual([]);
});
