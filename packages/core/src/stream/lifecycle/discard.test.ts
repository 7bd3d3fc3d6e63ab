/** A stream whose stored data is damaged can be deleted. */

import { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";
import { beforeEach, expect, it } from "vitest";

import { rowsOf } from "../../../test/stored-rows.ts";
import { appendOf, codeOf, createOf, newHost, streamOn, type Host } from "../../../test/stream-fixture.ts";
import type { SourceNotification } from "../../contracts/fan-out.ts";
import type { StreamReport } from "../../contracts/project.ts";
import type { Stream } from "../stream.ts";
import { streamTable } from "../tables/stream-row.ts";

const CORRUPT = new Error("database disk image is malformed: SQLITE_CORRUPT");
const LIMITS = { segmentBytes: 10, segmentBytesMin: 1 };

let host: Host;
let store: FakeSegmentStore;
/** What the directory and the followers were told. */
let reports: StreamReport[];
let notifications: (SourceNotification | null)[];

beforeEach(async () => {
  store = new FakeSegmentStore();
  reports = [];
  notifications = [];
  host = Object.assign(newHost("p/s"), {
    segments: store,
    directory: { note: async (report: StreamReport) => (reports.push(report), null) },
    notifyFollowers: async (notification: SourceNotification | null) => (notifications.push(notification), null),
  });
  const stream = streamOn(host, LIMITS);
  await stream.create(createOf());
  await stream.append(appendOf("0123456789"));
  await fireAlarm(stream);
  if (store.objects.size !== 1) throw new Error("The stream has no segment.");
});

async function fireAlarm(stream: Stream): Promise<void> {
  host.nowMs = Math.max(host.nowMs, host.alarmAtMs ?? 0);
  await stream.alarm();
}

/** Of an object that has just started, and cannot read what it finds. */
function damaged(error: Error = CORRUPT): Stream {
  host.database.failOnce(/schema_version/, error);
  return streamOn(host, LIMITS);
}

it("frees the name, deletes the segments, and tells the directory and the followers of the end", async () => {
  const { incarnation } = reports.at(-1) ?? { incarnation: 0 };
  const stream = damaged();
  expect(await stream.discard()).toEqual({ ok: true, wasDamaged: true });
  expect([codeOf(stream.head()), store.objects.size]).toEqual(["stream-not-found", 0]);
  expect(host.reports).toMatchObject([{ error: CORRUPT }]);
  const end = { stream: "s", contentType: null };
  await fireAlarm(stream);
  await fireAlarm(stream);
  expect(reports.at(-1)).toMatchObject(end);
  expect(reports.at(-1)?.incarnation).toBeGreaterThan(incarnation);
  expect(notifications).toContain(null);
  const created = await stream.create(createOf());
  expect(created).toMatchObject({ ok: true, created: true });
  const next = stream.head();
  expect(next.ok && next.lineage.incarnation).toBeGreaterThan(reports.at(-1)?.incarnation ?? Infinity);
});

it("has notified the directory and the followers before anything is purged, so that a crash leaves the stream nowhere", async () => {
  const { incarnation } = reports.at(-1) ?? { incarnation: 0 };
  host.nowMs += 1_000;
  host.purge = async () => {
    host.database.wipe();
    throw new Error("The object died.");
  };
  expect(codeOf(await damaged().discard())).toBe("unavailable");
  expect(codeOf(streamOn(host, LIMITS).head())).toBe("stream-not-found");
  expect(reports.at(-1)).toMatchObject({ stream: "s", contentType: null });
  expect(reports.at(-1)?.incarnation).toBeGreaterThan(incarnation);
  expect(notifications).toEqual([null]);
  // A stream that is created at once counts as later than that end.
  const next = streamOn(host, LIMITS);
  await next.create(createOf());
  const created = next.head();
  expect(created.ok && created.lineage.incarnation).toBeGreaterThan(reports.at(-1)?.incarnation ?? Infinity);
});

it("leaves everything as it is while the directory does not answer", async () => {
  Object.assign(host, { directory: { note: () => Promise.reject(new Error("The directory does not answer.")) } });
  expect(codeOf(await damaged().discard())).toBe("unavailable");
  expect(rowsOf(host.database, streamTable)).toHaveLength(1);
});

it("does nothing to a stream that can be read, or cannot for another reason", async () => {
  expect(await streamOn(host, LIMITS).discard()).toEqual({ ok: true, wasDamaged: false });
  expect(await damaged(new Error("deploy a newer server")).discard()).toEqual({ ok: true, wasDamaged: false });
  expect(codeOf(streamOn(host, LIMITS).head())).toBe("ok");
  expect(store.objects.size).toBe(1);
});

it("frees the name as well where the host had to remove the database, and nothing else is there", async () => {
  host.database.wipe();
  expect(await streamOn(host, LIMITS).discard()).toEqual({ ok: true, wasDamaged: false });
  expect(await streamOn(host, LIMITS).discard(true)).toEqual({ ok: true, wasDamaged: true });
  expect(store.objects.size).toBe(0);
});

it("leaves everything as it is while the segments cannot be deleted", async () => {
  store.failNext("list", "refused");
  const stream = damaged();
  expect(codeOf(await stream.discard())).toBe("unavailable");
  expect(rowsOf(host.database, streamTable)).toHaveLength(1);
});

it("a removal that meets damaged pages removes the stream all the same", async () => {
  const stream = streamOn(host, LIMITS);
  expect(codeOf(stream.head())).toBe("ok");
  host.database.failOnce(/DROP TABLE/, CORRUPT);
  expect(codeOf(await stream.remove())).toBe("ok");
  expect(codeOf(stream.head())).toBe("stream-not-found");
});
