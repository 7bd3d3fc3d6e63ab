/** What each operation is billed for. The page of costs is made from these counts: `npm run cost` writes them anew. */
import type { Usage } from "@durable-streams-cloudflare/testkit";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, expect, it, vi } from "vitest";

import { append, inObject, newEdge, newStream, readersOf, type Edge } from "./edge.ts";
import { EventReader } from "./events.ts";
import { Meter, NOTHING, fireAlarmsUntilQuiet, fireAlarmWhenDue } from "./meter.ts";
import { newProject, newService, newToken } from "./projects.ts";

const JSON_TYPE = { "Content-Type": "application/json" };
const SEGMENT_APPENDS = 13;
const SEGMENT_APPEND_BYTES = 700_000;
const READERS = 10;
const FOLLOWERS = [1, 11];
const COUNTS = "../../../bench/src/cost/counts.json";

let meter: Meter;
const measured: Record<string, Usage> = {};

afterEach(() => {
  vi.useRealTimers();
});

beforeAll(async () => {
  meter = await Meter.install();
});

async function newJsonStream(vars: Readonly<Record<string, string>> = {}): Promise<Edge> {
  const edge = await newStream({ contentType: "application/json", vars });
  await settle(edge);
  return edge;
}

/** Lets the stream notify its project of everything pending, and the project its registry. */
async function settle(edge: Edge): Promise<void> {
  const name = await inObject(edge, (_, { id }) => id.name ?? "");
  await fireAlarmsUntilQuiet(edge.stub());
  await fireAlarmsUntilQuiet(env.PROJECTS.getByName(name.slice(0, name.indexOf("/"))));
}

function messages(count: number): string {
  return JSON.stringify(Array.from({ length: count }, (_, n) => ({ n })));
}

it.each([1, 10, 100])(
  "[IN17] an append of %i messages is 1 row, 1 request of the object and nothing else",
  async (count) => {
    const edge = await newJsonStream();
    const usage = await meter.of(() => append(edge, messages(count), JSON_TYPE));
    expect(usage).toMatchObject({
      rowsWritten: 1,
      objectRequests: 1,
      r2Reads: 0,
      r2Writes: 0,
      kvReads: 0,
      kvWrites: 0,
    });
    measured[`append-${count}`] = usage;
  },
);
it("a stream notifies its project of its creation", async () => {
  const edge = newEdge();
  const create = async (): Promise<void> => {
    expect((await edge.fetch("", { method: "PUT", headers: JSON_TYPE })).status).toBe(201);
    await settle(edge);
  };
  measured["create"] = await meter.of(create);
});

it("a stream notifies its project of its end", async () => {
  const edge = await newJsonStream();
  const remove = async (): Promise<void> => {
    expect((await edge.fetch("", { method: "DELETE" })).status).toBe(204);
    await settle(edge);
  };
  measured["delete"] = await meter.of(remove);
});

it("[IN17] a read of what is in the object writes nothing, and is one request", async () => {
  const edge = await newJsonStream();
  for (let count = 0; count < 10; count += 1) await append(edge, messages(10), JSON_TYPE);
  const usage = await meter.of(async () => expect(await (await edge.fetch("?offset=-1")).json()).toHaveLength(100));
  expect(usage).toMatchObject({ rowsWritten: 0, objectRequests: 1, r2Reads: 0, kvReads: 0 });
  measured["read-hot"] = usage;
  measured["head"] = await meter.of(() => edge.fetch("", { method: "HEAD" }));
});

it("a segment is one object in R2, and is read with one request of R2", async () => {
  const edge = await newStream();
  await settle(edge);
  for (let count = 0; count < SEGMENT_APPENDS; count += 1) await append(edge, "x".repeat(SEGMENT_APPEND_BYTES));
  const rolling = await meter.of(() => settle(edge));
  expect(rolling.r2Writes).toBe(1);
  measured["roll"] = rolling;
  const reading = await meter.of(async () => {
    expect((await (await edge.fetch("?offset=-1")).text()).length).toBe(SEGMENT_APPENDS * SEGMENT_APPEND_BYTES);
  });
  expect(reading).toMatchObject({ rowsWritten: 0, r2Reads: 1, r2Writes: 0 });
  measured["read-cold"] = reading;
});

async function openReaders(edge: Edge, count: number): Promise<EventReader[]> {
  const readers: EventReader[] = [];
  for (let index = 0; index < count; index += 1) {
    const reader = new EventReader(await edge.fetch("?offset=now&live=sse"));
    await reader.take(1);
    readers.push(reader);
  }
  return readers;
}

it("an SSE session is one request, and what it is sent costs the object no other", async () => {
  const edge = await newJsonStream();
  let readers: EventReader[] = [];
  const opening = await meter.of(async () => (readers = await openReaders(edge, READERS)));
  expect(opening).toMatchObject({ objectRequests: READERS, rowsWritten: 0 });
  const alone = await newJsonStream();
  measured["sse-session"] = await meter.of(async () => {
    for (const reader of await openReaders(alone, 1)) await reader.cancel();
    while ((await readersOf(alone)) > 0) await scheduler.wait(5);
  });
  const publish = async (): Promise<void> => {
    await append(edge, messages(1), JSON_TYPE);
    for (const reader of readers) expect(await reader.take(1)).toEqual(['data:[{"n":0}]']);
  };
  const delivering = await meter.of(publish);
  expect(delivering).toEqual(measured["append-1"]);
  measured["sse-deliveries"] = delivering;
  for (const reader of readers) await reader.cancel();
});

it("[IN17] an SSE session at the tail of a stream that others of its isolate follow costs the object nothing", async () => {
  const edge = await newJsonStream();
  const [first] = await openReaders(edge, 1);
  const tail = (await edge.fetch("", { method: "HEAD" })).headers.get("Stream-Next-Offset");
  const joining = await meter.of(async () => {
    const reader = new EventReader(await edge.fetch(`?offset=${tail}&live=sse`));
    await reader.take(1);
    await reader.cancel();
  });
  await first?.cancel();
  expect(joining).toEqual(NOTHING);
});

it("[IN17] an SSE reader that is idle for ten minutes wakes nobody", async () => {
  const edge = await newJsonStream({ SSE_SESSION_SECONDS: "3600", SSE_HEARTBEAT_SECONDS: "15" });
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval", "Date"] });
  const response = await edge.fetch("?offset=now&live=sse");
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = decoder.decode((await reader?.read())?.value);
  const idling = await meter.of(async () => {
    while (text.split("\n:").length - 1 < (10 * 60) / 15) {
      await vi.advanceTimersByTimeAsync(15_000);
      text += decoder.decode((await reader?.read())?.value);
    }
  });
  await reader?.cancel();
  measured["sse-idle"] = idling;
  expect(idling).toEqual(NOTHING);
});

it("a long-poll is one request, whether it returns something or not", async () => {
  const edge = await newJsonStream({ LONG_POLL_TIMEOUT_MS: "100" });
  const idling = await meter.of(async () => {
    expect((await edge.fetch("?offset=now&live=long-poll")).status).toBe(204);
    while ((await readersOf(edge)) > 0) await scheduler.wait(5);
  });
  measured["long-poll-idle"] = idling;
  const patient = await newJsonStream({ LONG_POLL_TIMEOUT_MS: "20000" });
  const busy = await meter.of(async () => {
    const poll = patient.fetch("?offset=now&live=long-poll");
    while ((await readersOf(patient)) === 0) await scheduler.wait(5);
    await append(patient, messages(1), JSON_TYPE);
    expect((await poll).status).toBe(200);
    while ((await readersOf(patient)) > 0) await scheduler.wait(5);
  });
  measured["long-poll-delivery"] = busy;
});

it.each(FOLLOWERS)("[IN17] a publish to %i sessions is one row in each of them", async (followers) => {
  // Alarms fire when the test says so: the server's clock stands still, always an hour ahead.
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
  const service = newService();
  const project = await newProject(service);
  const token = await newToken(project);
  const source = `/v1/stream/${project.name}/source`;
  const send = async (method: string, path: string, body?: unknown): Promise<void> => {
    const headers = { Authorization: `Bearer ${token}`, ...JSON_TYPE };
    const response = await service.fetch(path, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}`);
  };
  await send("PUT", source);
  const names = Array.from({ length: followers }, (_, index) => `session-${index}`);
  const subscription = `/v1/estuary/subscribe/${project.name}/source`;
  for (const estuaryId of names) await send("POST", subscription, { estuaryId });
  const sessions = names.map((name) => env.STREAMS.getByName(`${project.name}/${name}`));
  const fanOut = env.SUBSCRIPTIONS.getByName(`${project.name}/source`);
  const publish = async (): Promise<void> => {
    const before = await Promise.all(sessions.map(logRows));
    await send("POST", source, { n: 1 });
    await fireAlarmWhenDue(fanOut);
    // It would have notified them, had the source died.
    await runDurableObjectAlarm(env.STREAMS.getByName(`${project.name}/source`));
    expect(await Promise.all(sessions.map(logRows))).toEqual(before.map((rows) => rows + 1));
  };
  await publish();
  const usage = await meter.of(publish);
  expect(usage.rowsWritten).toBeGreaterThanOrEqual(1 + followers);
  measured[`publish-${followers}`] = usage;
});

function logRows(stub: DurableObjectStub): Promise<number> {
  return runInDurableObject(stub, (_, { storage }) =>
    meter.silently(() => Number(storage.sql.exec("SELECT count(*) AS count FROM log").one()["count"])),
  );
}

it("all of this is what the page of costs is made from; if not, run: npm run cost", async () => {
  await expect(`${JSON.stringify(measured, undefined, 2)}\n`).toMatchFileSnapshot(COUNTS);
});
