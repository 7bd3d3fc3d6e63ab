/** The page of costs: the counts of the test, multiplied by the prices. */
import { existsSync, readFileSync } from "node:fs";

import type { Usage } from "@durable-streams-cloudflare/testkit";

import { ALONE_DELIVERY_MS, ISOLATES, LOG_LINE_BYTES, PUSH_SECONDS, READINGS, type Reading } from "./parameters.ts";
import { LOG_PRICES, OBJECT_GIGABYTES, PRICES, PRICES_AS_OF } from "./prices.ts";

/** Milliseconds of workerd's processor time, measured by `npm run bench -- cpu --write`. */
interface CpuTimes {
  readonly measured: string;
  readonly append: number;
  readonly read: number;
  readonly delivery: number;
}

/** The counts per operation, from `packages/server/test/workers/meter.ts`. */
const COUNTS = readJson<Readonly<Record<string, Usage>>>("counts.json") ?? {};
const CPU = readJson<CpuTimes>("cpu.json");

const MONTH_SECONDS = 30 * 24 * 3_600;
const MILLION = 1_000_000;
const READERS = 10_000;
const SESSION_SECONDS = [60, 900, 3_600];
const LONG_POLL_SECONDS = [3, 25] as const;
const FOLLOWERS = 1_000;
const HEARTBEAT_SECONDS = 15;
/** The size of the segment that the test creates: 13 appends of 700,000 bytes. */
const SEGMENT_BYTES = 9_100_000;
/** How long an object is awake for one event. This is an assumption: the disk here says nothing about the platform's. */
const AWAKE_SECONDS = 0.01;

/** The names of the operations on the page. */
const OPERATIONS: Readonly<Record<string, string>> = {
  "append-1": "append of 1 message",
  "append-10": "append of 10 messages",
  "append-100": "append of 100 messages",
  "read-hot": "read of 10 appends in the object",
  "read-cold": "read of 9 MB, all in one segment in R2",
  head: "HEAD",
  "sse-session": "SSE session: opening and closing",
  "sse-idle": "SSE reader, 10 idle minutes",
  "sse-deliveries": "append delivered to 10 SSE readers",
  "long-poll-idle": "long-poll that ends empty",
  "long-poll-delivery": "append, and the long-poll that it answers",
  "publish-1": "append delivered to 1 session",
  "publish-11": "append delivered to 11 sessions",
  create: "creation of a stream, and notifying its project",
  delete: "deletion of a stream, and notifying its project",
  roll: "roll of 9 MB into a segment",
};

function readJson<Content>(name: string): Content | undefined {
  const url = new URL(name, import.meta.url);
  return existsSync(url) ? (JSON.parse(readFileSync(url, "utf8")) as Content) : undefined;
}

function usageOf(operation: string): Usage {
  const usage = COUNTS[operation];
  if (usage === undefined) throw new Error(`${operation} has not been counted; run: npm run cost`);
  return usage;
}

/** The price of one operation in dollars, without the request to the Worker and processor time. */
function priceOf(usage: Usage): number {
  return (
    usage.objectRequests * PRICES.objectRequest +
    usage.wakeUps * AWAKE_SECONDS * OBJECT_GIGABYTES * PRICES.objectGigabyteSecond +
    usage.rowsRead * PRICES.rowRead +
    usage.rowsWritten * PRICES.rowWritten +
    usage.r2Writes * PRICES.r2Write +
    usage.r2Reads * PRICES.r2Read +
    usage.kvReads * PRICES.kvRead +
    usage.kvWrites * PRICES.kvWrite
  );
}

/** The price of one HTTP request in dollars. */
function requestPrice(operation: string, cpuMs = 0): number {
  return PRICES.workerRequest + cpuMs * PRICES.cpuMs + priceOf(usageOf(operation));
}

function deliveryPrice(): number {
  return (priceOf(usageOf("publish-11")) - priceOf(usageOf("publish-1"))) / 10;
}

function dollars(value: number): string {
  const digits = value < 100 ? { minimumFractionDigits: 2, maximumFractionDigits: 3 } : { maximumFractionDigits: 0 };
  return `$${value.toLocaleString("en-US", digits)}`;
}

function countsTable(): string {
  const rows = Object.entries(OPERATIONS).map(([operation, name]) => {
    const { objectRequests, wakeUps, rowsRead, rowsWritten, r2Writes, r2Reads, kvReads, kvWrites } = usageOf(operation);
    const cells = [objectRequests, wakeUps, rowsWritten, rowsRead, r2Writes, r2Reads, kvReads + kvWrites];
    return `| ${name} | ${cells.join(" | ")} |`;
  });
  return `| operation | object requests | wake-ups | rows written | rows read | R2 class A | R2 class B | KV calls |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${rows.join("\n")}`;
}

function appendsTable(): string {
  const rows = [1, 10, 100].map((messages) => {
    const million = MILLION * requestPrice(`append-${messages}`, CPU?.append);
    return `| ${messages} | ${dollars(million)} | ${dollars(million / messages)} |`;
  });
  return `| messages in each append | a million appends | a million messages |
| ---: | ---: | ---: |
${rows.join("\n")}`;
}

/** Sessions that begin at the tail of a stream which others of their isolate read, and the channels of the isolates. */
function sessionsPrice(seconds: number): number {
  const rounds = MONTH_SECONDS / seconds;
  const opening = PRICES.workerRequest + (CPU?.read ?? 0) * PRICES.cpuMs;
  return rounds * (READERS * opening + ISOLATES * priceOf(usageOf("sse-session")));
}

function eventsPrice({ deliveryMs }: Reading, secondsBetween: number): number {
  return ((READERS * MONTH_SECONDS) / secondsBetween) * deliveryMs * PRICES.cpuMs;
}

/** One append a second, and the time that the object takes to push it to all isolates. */
function appendsPrice(): number {
  const pushing = ISOLATES * PUSH_SECONDS * OBJECT_GIGABYTES * PRICES.objectGigabyteSecond;
  return MONTH_SECONDS * (requestPrice("append-1", CPU?.append) + pushing);
}

function readersTable(): string {
  const columns = READINGS.map(({ name }) => `idle, ${name} | busy, ${name}`);
  const rows = SESSION_SECONDS.map((session) => {
    const cells = READINGS.flatMap((reading) => {
      const idle = sessionsPrice(session) + eventsPrice(reading, HEARTBEAT_SECONDS);
      return [dollars(idle), dollars(idle + eventsPrice(reading, 1) + appendsPrice())];
    });
    return `| ${session} s | ${cells.join(" | ")} |`;
  });
  return `| \`SSE_SESSION_SECONDS\` | ${columns.join(" | ")} |
| ---: | ${columns.map(() => "---: | ---:").join(" | ")} |
${rows.join("\n")}`;
}

/** Long-polls that all end every so many seconds, and the channels of the isolates. */
function pollsPrice({ pollMs }: Reading, seconds: number): number {
  const poll = PRICES.workerRequest + pollMs * PRICES.cpuMs;
  return (MONTH_SECONDS / seconds) * (READERS * poll + ISOLATES * priceOf(usageOf("long-poll-idle")));
}

/** A message a second ends each poll after a second. */
function longPollTable(): string {
  const columns = READINGS.map(({ name }) => `idle, ${name} | busy, ${name}`);
  const rows = LONG_POLL_SECONDS.map((timeout) => {
    const cells = READINGS.flatMap((reading) => [
      dollars(pollsPrice(reading, timeout)),
      dollars(pollsPrice(reading, 1) + appendsPrice()),
    ]);
    return `| ${timeout} s | ${cells.join(" | ")} |`;
  });
  return `| a poll ends after | ${columns.join(" | ")} |
| ---: | ${columns.map(() => "---: | ---:").join(" | ")} |
${rows.join("\n")}`;
}

/** One for each request to the Worker, and one for each event of the object, of whose channels each isolate has one. */
function liveEvents(operation: string, seconds: number): number {
  return (MONTH_SECONDS / seconds) * (READERS + ISOLATES * usageOf(operation).wakeUps);
}

function logsTable(): string {
  const gigabytePrice = LOG_PRICES.gigabyte + (LOG_PRICES.retentionDays / 30) * LOG_PRICES.gigabyteMonth;
  const row = (name: string, events: number): string => {
    const bySize = ((events * LOG_LINE_BYTES) / 1_000_000_000) * gigabytePrice;
    const millions = (events / MILLION).toLocaleString("en-US", { maximumFractionDigits: 0 });
    return `| ${name} | ${millions} | ${dollars(events * LOG_PRICES.event)} | ${dollars(bySize)} |`;
  };
  const readers = READERS.toLocaleString("en-US");
  const sessions = SESSION_SECONDS.map((session) =>
    row(`${readers} idle SSE readers for a month, sessions of ${session} s`, liveEvents("sse-session", session)),
  );
  const polls = LONG_POLL_SECONDS.map((timeout) =>
    row(`${readers} idle long-polls for a month, ${timeout} s`, liveEvents("long-poll-idle", timeout)),
  );
  return `| | million log events | by event, until November 2026 | by size, since December 2026 |
| --- | ---: | ---: | ---: |
${row("a million appends, as deployed: `invocation_logs = false`, `LOG_LEVEL=error`", 0)}
${row("a million appends with `LOG_LEVEL=info`: a line for each request", MILLION)}
${row("with the platform's invocation logs: a million appends", MILLION * (1 + usageOf("append-1").wakeUps))}
${[...sessions, ...polls].join("\n")}`;
}

function pricesTable(): string {
  const units: Readonly<Record<keyof typeof PRICES, string>> = {
    workerRequest: "million requests to the Worker (W)",
    cpuMs: "million ms of the Worker's processor time (C)",
    objectRequest: "million requests to objects (D)",
    objectGigabyteSecond: `million GB-s of objects that are awake, at ${OBJECT_GIGABYTES} GB each (G)`,
    rowRead: "million rows read",
    rowWritten: "million rows written (R)",
    objectGigabyteMonth: "GB-month in objects",
    r2Write: "million class A operations in R2",
    r2Read: "million class B operations in R2",
    r2GigabyteMonth: "GB-month in R2",
    kvRead: "million KV reads",
    kvWrite: "million KV writes",
  };
  const rows = Object.entries(PRICES).map(([name, price]) => {
    const isStored = name.endsWith("Month");
    return `| ${units[name as keyof typeof PRICES]} | ${dollars(isStored ? price : price * MILLION)} |`;
  });
  return `| unit | price |\n| --- | ---: |\n${rows.join("\n")}`;
}

function cpuText(): string {
  if (CPU === undefined)
    return "Processor time has not been measured (`npm run bench -- cpu --write`), so no figure includes it.";
  const { measured, append, read, delivery } = CPU;
  return `This is the processor time of workerd as a whole, of which the platform bills only a part
(${measured}): ${append} ms for an append, ${read} ms for a small read, and
${delivery} ms for a delivery to an SSE reader. It depends on the machine, so no test compares it.`;
}

export function costPage(notice: string): string {
  const segmentsPerGigabyte = 1_000_000_000 / SEGMENT_BYTES;
  return `${notice}

# What it costs

\`npm run cost\` runs each operation once on workerd, counts what the platform bills, at the bindings and in SQLite, and writes
this page. A test compares the counts. The prices are those of ${PRICES_AS_OF} (\`packages/bench/src/cost/prices.ts\`). They apply
to usage beyond what the plan includes, and leave out the plan's $5 a month.

## What is counted

${countsTable()}

Each HTTP request is also one request to the Worker. A wake-up is an event for which the object must be in memory: a request,
an alarm, or a socket that was closed. Waking an object that is already awake costs no more than its time. Bytes that are sent
to live readers, and heartbeats, are not requests.

With \`AUTH_MODE=project\`, an isolate that has not seen the project yet reads KV once, and again whenever its copy is 30 seconds
old.

## Processor time

${cpuText()}

## Appends

${appendsTable()}

One append costs W + ${usageOf("append-1").objectRequests} × D + ${usageOf("append-1").rowsWritten} × R, plus the rows that it reads, processor time, and ${AWAKE_SECONDS * 1_000} ms of an object that is
awake. Every figure here is for an append that arrives alone. Appends to one stream that arrive together share a request and a
row, so a busy stream pays less.

## ${READERS.toLocaleString("en-US")} SSE readers of one stream, per month

${readersTable()}

A reader that joins others of its isolate at the tail makes no request to the object, so sessions cost W each, plus one D for
each of ${ISOLATES} isolates. Each figure has a heartbeat every ${HEARTBEAT_SECONDS} s and the opening of the sessions. Busy means one message a second:
its delivery to each reader, the append, and the time that the object takes to push it. While nobody writes, the object sleeps.

The two readings differ in what is billed of a delivery: ${READINGS.map(({ name, deliveryMs }) => `${deliveryMs} ms (${name})`).join(" or ")}.
The assumption \`cpu-billed\` in [to-be-confirmed.md](to-be-confirmed.md) decides between them. Appends and the opening of
sessions count with all of the process in both. Without sharing (\`SHARED_LIVE=off\`, or one reader in each isolate), each
session costs one D more, each delivery takes ${ALONE_DELIVERY_MS} ms of the process, and an append keeps the object awake for
${Math.round(READERS * PUSH_SECONDS * 1_000)} ms instead of ${(ISOLATES * PUSH_SECONDS * 1_000).toFixed(1)} ms to push it. An object that is awake all month costs ${dollars(MONTH_SECONDS * OBJECT_GIGABYTES * PRICES.objectGigabyteSecond)}, so pushing never
costs more than that.

## ${READERS.toLocaleString("en-US")} long-polls of one stream, per month

${longPollTable()}

A long-poll is a request each time it ends, whoever shares what, and a message ends all of them. So use SSE for many readers.
An answer takes ${READINGS.map(({ name, pollMs }) => `${pollMs} ms (${name})`).join(" or ")}. Without sharing, each poll
also costs one D and two wake-ups: idle polls of ${LONG_POLL_SECONDS[0]} s then cost ${dollars(((READERS * MONTH_SECONDS) / LONG_POLL_SECONDS[0]) * requestPrice("long-poll-idle"))} before processor time.

## Logs

Since 2026-12-01, Workers Logs are billed by size, here about ${LOG_LINE_BYTES.toLocaleString("en-US")} bytes for each event: ${dollars(LOG_PRICES.gigabyte)} for a GB that is written, and
${dollars(LOG_PRICES.gigabyteMonth)} for a GB-month that is stored, for ${LOG_PRICES.retentionDays} days. The plan includes 50 GB and 12 GB-months. Every
\`wrangler.toml\` that this project ships or writes turns invocation logs off, so only the server's own lines are billed
(assumption \`logs-billed\`).

${logsTable()}

## Fan-out to sessions

A million deliveries cost ${dollars(deliveryPrice() * MILLION)}: the difference between the cost for 11 sessions and for 1, divided by ten. The publish
itself is an append, plus what the fan-out of its source records: ${dollars(MILLION * (requestPrice("publish-1") - deliveryPrice()))} for a million.
One publish a second to ${FOLLOWERS.toLocaleString("en-US")} sessions costs ${dollars(MONTH_SECONDS * FOLLOWERS * deliveryPrice())} a month in deliveries. To append the same messages to each of the
sessions would cost ${dollars(MONTH_SECONDS * FOLLOWERS * requestPrice("append-1", CPU?.append))}.

A million streams that are created and deleted cost ${dollars(MILLION * (requestPrice("create") + requestPrice("delete")))}.

## Storage

A GB-month costs ${dollars(PRICES.objectGigabyteMonth)} in the object and ${dollars(PRICES.r2GigabyteMonth)} in R2. Rolling a GB into segments of ${SEGMENT_BYTES / MILLION} MB costs ${dollars(segmentsPerGigabyte * priceOf(usageOf("roll")))}, once.

## Prices

${pricesTable()}

## To be confirmed on the real network

[to-be-confirmed.md](to-be-confirmed.md) lists what these figures take for granted about the network, with the commands that
show it: \`rows-billed\`, \`object-awake\`, \`cpu-billed\`, \`isolates-of-readers\` and \`logs-billed\`.
`;
}
