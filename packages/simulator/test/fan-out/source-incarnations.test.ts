/** What sessions get of sources that are cold, trimmed, closed, deleted, expired or made anew. */

import type { LinkFormat } from "@durable-streams-cloudflare/core/contracts/fan-out";
import { linksTable } from "@durable-streams-cloudflare/core/fan-out/source/tables";
import { rowsOf } from "@durable-streams-cloudflare/core/test/stored-rows";
import { appendOf } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";
import { beforeEach, describe, expect, it } from "vitest";

import { clientsOf, SESSION, START } from "../../src/drivers/fan-out-clients.ts";
import { unwrap, FanOutWorld } from "../../src/worlds/fan-out-world.ts";

const FORMATS: readonly LinkFormat[] = ["raw", "envelope"];
const SEGMENT_BYTES = 64;
const SOURCE = "p/chat";

let world: FanOutWorld;

beforeEach(() => {
  const segments = new FakeSegmentStore();
  world = new FanOutWorld({ segments, segmentBytes: SEGMENT_BYTES, segmentBytesMin: 1 });
});

const { source, publish, subscribe, aSecond, envelopes } = clientsOf(() => world);

/** The texts that the session holds, and the controls among them. */
function held(format: LinkFormat): string {
  if (format === "raw") return world.content(SESSION) ?? "";
  const messages = envelopes() as { readonly data?: string; readonly control?: string }[];
  return messages.map(({ data, control }) => data ?? `<${control}>`).join("");
}

/** Publishes messages with these numbers, and lets them roll to R2. */
async function publishAndRoll(from: number, to: number): Promise<string> {
  let published = "";
  for (let number = from; number < to; number += 1) {
    const text = `message ${number}; `;
    await publish(SOURCE, text);
    published += text;
    if (number % 7 === 6) await world.fireAlarmsUntil(world.nowMs + 2_000);
  }
  return published;
}

/** Its next deliveries fail: the session falls behind, for half a minute. */
function failDeliveries(times: number): void {
  const { database } = world.host(`stream:${SESSION}`);
  for (let left = times; left > 0; left -= 1) database.failOnce(/^INSERT INTO log/, new Error("injected"));
}

it("[FO6] more sessions than one turn serves all learn that their source is gone", async () => {
  await source("chat");
  for (let number = 0; number < 600; number += 1) {
    unwrap(await subscribe([SOURCE], { session: `p/session-${number}` }));
  }
  const { lineage } = unwrap(world.stream(SOURCE).head());
  unwrap(await world.stream(SOURCE).remove(lineage.incarnation));
  await aSecond();
  const { database, alarmAtMs } = world.host(`followers:${SOURCE}`);
  expect([rowsOf(database, linksTable), alarmAtMs]).toEqual([[], undefined]);
});

describe.each(FORMATS)("a session of format %s", (format) => {
  it("that begins in what has rolled to R2 gets all of it, and then what comes", async () => {
    await source("chat");
    const before = await publishAndRoll(0, 30);
    expect(world.segments?.objects.size).toBeGreaterThan(2);
    unwrap(await subscribe([SOURCE], { format, from: START }));
    const after = await publishAndRoll(30, 33);
    await aSecond();
    expect(held(format)).toBe(before + after);
  });

  it("that was behind when messages rolled to R2 gets them in order", async () => {
    await source("chat");
    unwrap(await subscribe([SOURCE], { format }));
    failDeliveries(5);
    const published = await publishAndRoll(0, 30);
    expect(world.segments?.objects.size).toBeGreaterThan(2);
    await world.fireAlarmsUntil(world.nowMs + 40_000);
    expect(held(format)).toBe(published);
  });

  it("[SE9] that was behind when retention dropped messages gets the rest, and envelopes say so", async () => {
    await source("chat", { retention: { seconds: undefined, bytes: SEGMENT_BYTES } });
    unwrap(await subscribe([SOURCE], { format }));
    failDeliveries(5);
    const published = await publishAndRoll(0, 30);
    await world.fireAlarmsUntil(world.nowMs + 40_000);
    const [notice, rest] =
      format === "raw" ? ["", held(format)] : ["<trimmed>", held(format).slice("<trimmed>".length)];
    expect(held(format)).toBe(notice + rest);
    expect(published.endsWith(rest)).toBe(true);
    expect(rest.length).toBeGreaterThan(0);
    expect(rest.length).toBeLessThan(published.length);
    expect((envelopesOf(format)[0] as { offset?: string } | undefined)?.offset).toBe(trimmedOffset(format, rest));
  });

  it.each([
    { about: "closed", end: () => world.stream(SOURCE).append(appendOf("", { close: true })), notice: "<closed>" },
    { about: "deleted", end: () => world.stream(SOURCE).remove(), notice: "<deleted>" },
    { about: "expired", end: () => world.fireAlarmsUntil(world.nowMs + 50_000), notice: "<deleted>" },
  ])(
    "follows a source no more that is $about, and one that is made in its place is another",
    async ({ end, notice, about }) => {
      const lifetime =
        about === "expired" ? ({ kind: "ttl", ttlSeconds: 10 } as const) : ({ kind: "forever" } as const);
      await source("chat", { lifetime });
      unwrap(await subscribe([SOURCE], { format }));
      await publish(SOURCE, "first;");
      await aSecond();
      await end();
      await aSecond();
      const ended = format === "raw" ? "" : notice;
      expect(held(format)).toBe(`first;${ended}`);
      expect(world.leftovers(`followers:${SOURCE}`)).toEqual([]);
      if (about === "closed") unwrap(await world.stream(SOURCE).remove());
      await source("chat");
      await publish(SOURCE, "unseen;");
      unwrap(await world.askEstuary(SESSION, (estuary) => estuary.unsubscribe([SOURCE])));
      unwrap(await subscribe([SOURCE], { format }));
      await publish(SOURCE, "second;");
      await aSecond();
      expect(held(format)).toBe(`first;${ended}second;`);
    },
  );
});

describe.each(FORMATS)("a session of format %s that subscribes anew at once", (format) => {
  const envelope = (text: string): string => (format === "raw" ? "" : text);

  it("[FO6] to a stream made in the place of its source follows that, and not what is gone", async () => {
    await source("chat");
    unwrap(await subscribe([SOURCE], { format, from: START }));
    await publish(SOURCE, "first;");
    await aSecond();
    for (let round = 0; round < 3; round += 1) {
      unwrap(await world.stream(SOURCE).remove());
      await source("chat");
      // Nobody knows yet that the source has ended.
      const results = unwrap(await subscribe([SOURCE], { format, from: START }));
      const { lineage } = unwrap(world.stream(SOURCE).head());
      expect(results).toMatchObject({ results: [{ ok: true, offset: `${lineage.incarnation}_${"0".repeat(16)}` }] });
      await publish(SOURCE, `${round};`);
      await aSecond();
    }
    const deleted = envelope("<deleted>");
    expect(held(format)).toBe(`first;${deleted}0;${deleted}1;${deleted}2;`);
    expect(rowsOf(world.host(`followers:${SOURCE}`).database, linksTable)).toHaveLength(1);
  });

  it("to a source that is gone is told so", async () => {
    await source("chat");
    unwrap(await subscribe([SOURCE], { format }));
    unwrap(await world.stream(SOURCE).remove());
    const { results } = unwrap(await subscribe([SOURCE], { format }));
    expect(results).toMatchObject([{ ok: false, problem: { code: "stream-not-found" } }]);
  });
});

function envelopesOf(format: LinkFormat): readonly unknown[] {
  return format === "raw" ? [] : (envelopes() as unknown[]);
}

/** Where the source begins now: behind it is what is left. */
function trimmedOffset(format: LinkFormat, rest: string): string | undefined {
  if (format === "raw") return undefined;
  const { lineage, tail } = unwrap(world.stream(SOURCE).head());
  return `${lineage.incarnation}_${String(tail - rest.length).padStart(16, "0")}`;
}
