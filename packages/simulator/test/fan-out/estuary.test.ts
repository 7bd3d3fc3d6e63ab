import type { SourceResult } from "@durable-streams-cloudflare/core/contracts/fan-out";
import { codeOf, appendOf, createOf } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { KEEP_ALL } from "@durable-streams-cloudflare/protocol";
import { textOf, utf8 } from "@durable-streams-cloudflare/testkit";
import { beforeEach, describe, expect, it } from "vitest";

import { clientsOf, SESSION, START, TTL_SECONDS } from "../../src/drivers/fan-out-clients.ts";
import { unwrap, FanOutWorld } from "../../src/worlds/fan-out-world.ts";

let world: FanOutWorld;

beforeEach(() => {
  world = new FanOutWorld();
});

const { source, publish, subscribe, aSecond, envelopes } = clientsOf(() => world);

/** The code of each source's result. */
async function codes(subscribing: ReturnType<typeof subscribe>): Promise<string[]> {
  const results: readonly SourceResult[] = unwrap(await subscribing).results;
  return results.map((result) => codeOf(result));
}

function callsOf(method: string): number {
  return world.calls.filter((call) => call.method === method).length;
}

describe("[FO2] [IN17] a stream that nobody follows", () => {
  it("is appended to without a call to anybody, in one row", async () => {
    const chat = await source("chat");
    await publish(chat, "a");
    const before = world.host(`stream:${chat}`).database.rowsWritten;
    await publish(chat, "b");
    expect(world.host(`stream:${chat}`).database.rowsWritten - before).toBe(1);
    expect(world.calls).toEqual([]);
  });

  it("[FO2] neither is one that was followed once", async () => {
    const chat = await source("chat");
    unwrap(await subscribe([chat]));
    unwrap(await world.askEstuary(SESSION, (estuary) => estuary.unsubscribe([chat])));
    await aSecond();
    const before = world.calls.length;
    await publish(chat, "a");
    await aSecond();
    expect(world.calls.length).toBe(before);
    expect(world.leftovers(`followers:${chat}`)).toEqual([]);
  });
});

describe("a stream that is followed", () => {
  it("is appended to in one row, and notifies its followers once for many commits", async () => {
    const chat = await source("chat");
    unwrap(await subscribe([chat]));
    await aSecond();
    const before = world.host(`stream:${chat}`).database.rowsWritten;
    await publish(chat, "a");
    expect(world.host(`stream:${chat}`).database.rowsWritten - before).toBe(1);
    await aSecond();
    const notified = callsOf("notify");
    world.isHeld = true;
    const appends = Array.from({ length: 20 }, (_, index) => world.stream(chat).append(appendOf(String(index))));
    await world.releaseAll();
    await Promise.all(appends);
    await aSecond();
    expect(callsOf("notify") - notified).toBeLessThanOrEqual(3);
    expect(world.content(SESSION)).toBe(`a${Array.from({ length: 20 }, (_, index) => index).join("")}`);
  });

  it("[FO1] delivers what was appended although the notification got lost", async () => {
    const chat = await source("chat");
    unwrap(await subscribe([chat]));
    await aSecond();
    world.isHeld = true;
    const append = world.stream(chat).append(appendOf("a"));
    await world.release(0, "arrives");
    await append;
    await world.release(0, "lost");
    await world.releaseAll();
    expect(world.content(SESSION)).toBe("");
    await world.fireAlarmsUntil(world.nowMs + 60_000);
    expect(world.content(SESSION)).toBe("a");
  });

  it("costs one row in a session for many appends, and few in the follower set", async () => {
    const chat = await source("chat");
    unwrap(await subscribe([chat]));
    await aSecond();
    for (let index = 0; index < 50; index += 1) await publish(chat, "x");
    const rowsOf = (key: `${"stream" | "followers"}:${string}`) => world.host(key).database.rowsWritten;
    const [session, followers] = [rowsOf(`stream:${SESSION}`), rowsOf(`followers:${chat}`)];
    await aSecond();
    expect(world.content(SESSION)).toBe("x".repeat(50));
    expect(rowsOf(`stream:${SESSION}`) - session).toBe(1);
    expect(rowsOf(`followers:${chat}`) - followers).toBeLessThanOrEqual(2);
  });
});

describe("a session", () => {
  it("[FO1] [SE1] is a copy of its sources from where it subscribed, each in its order", async () => {
    const [a, b] = [await source("a"), await source("b")];
    await publish(a, "before;");
    unwrap(await subscribe([a, b]));
    await publish(a, "a1;");
    await publish(b, "b1;");
    await publish(a, "a2;");
    await aSecond();
    const content = world.content(SESSION) ?? "";
    expect(content.split(";").filter((part) => part.startsWith("a"))).toEqual(["a1", "a2"]);
    expect(content).toContain("b1;");
    expect(content).not.toContain("before");
  });

  it("[SE1] may begin at the beginning of a source, or at an offset of it", async () => {
    const chat = await source("chat");
    await publish(chat, "a;");
    const head = unwrap(world.stream(chat).head());
    await publish(chat, "b;");
    unwrap(await subscribe([chat], { from: START }));
    const at = { kind: "at", incarnation: head.lineage.incarnation, position: head.tail } as const;
    unwrap(await subscribe([chat], { from: at, session: "p/bob" }));
    expect(await codes(subscribe([chat], { from: { ...at, position: 1 }, session: "p/carol" }))).toEqual([
      "offset-invalid",
    ]);
    await aSecond();
    expect([world.content(SESSION), world.content("p/bob")]).toEqual(["a;b;", "b;"]);
  });

  it("gets the sources of a fork, inherited bytes included", async () => {
    const chat = await source("chat");
    await publish(chat, "a;");
    const fork = { source: chat, offset: null, subOffset: 0 };
    unwrap(await world.stream("p/fork").create(createOf({ fork })));
    await publish("p/fork", "b;");
    await publish(chat, "not inherited;");
    unwrap(await subscribe(["p/fork"], { from: START }));
    await aSecond();
    expect(world.content(SESSION)).toBe("a;b;");
  });

  it("[SE2] stays as it is when it subscribes again, and refuses another format", async () => {
    const chat = await source("chat", { contentType: "application/json" });
    const [first] = unwrap(await subscribe([chat])).results;
    await publish(chat, "1,", "application/json");
    const [second] = unwrap(await subscribe([chat], { from: START })).results;
    expect(second).toEqual(first);
    expect(await codes(subscribe([chat], { format: "envelope" }))).toEqual(["subscription-exists"]);
    await aSecond();
    expect(world.content(SESSION)).toBe("1,");
  });

  it("[SE3] gets what was published before it unsubscribed, and nothing after", async () => {
    const chat = await source("chat");
    unwrap(await subscribe([chat]));
    await publish(chat, "a;");
    unwrap(await world.askEstuary(SESSION, (estuary) => estuary.unsubscribe([chat])));
    await publish(chat, "b;");
    unwrap(await subscribe([chat]));
    await publish(chat, "c;");
    await aSecond();
    expect(world.content(SESSION)).toBe("a;c;");
  });

  it("[SE10] accepts appends of nobody else", async () => {
    const chat = await source("chat");
    unwrap(await subscribe([chat]));
    for (const more of [{}, { close: true, bytes: utf8("") }, { producer: { id: chat, epoch: 9e15, seq: 0 } }]) {
      expect(codeOf(await world.stream(SESSION).append(appendOf("x", more)))).toBe("session-read-only");
    }
    await publish(chat, "a");
    await aSecond();
    expect(world.content(SESSION)).toBe("a");
  });

  it("[SE10] is never an ordinary stream, which is left alone", async () => {
    const chat = await source("chat");
    await source("alice");
    expect(codeOf(await subscribe([chat]))).toBe("session-expected");
    expect(codeOf(await world.askEstuary(SESSION, (estuary) => estuary.remove()))).toBe("estuary-not-found");
    const create = { contentType: "text/plain", lifetime: { kind: "ttl", ttlSeconds: TTL_SECONDS } } as const;
    unwrap(await subscribe([chat], { session: "p/bob" }));
    const again = { ...create, retention: KEEP_ALL, closed: false, bytes: utf8("") };
    expect(codeOf(await world.stream("p/bob").create(again))).toBe("stream-exists");
  });

  it.each([
    ["itself", SESSION],
    ["another session", "p/bob"],
  ])("[SE11] does not follow %s: there are no cycles", async (_, followed) => {
    const chat = await source("chat");
    unwrap(await subscribe([chat]));
    unwrap(await subscribe([chat], { session: "p/bob" }));
    expect(await codes(subscribe([followed]))).toEqual(["session-as-source"]);
  });

  it("[SE1] reports what is wrong with each source, and follows the others", async () => {
    const [text, json] = [await source("text"), await source("json", { contentType: "application/json" })];
    expect(await codes(subscribe([text, "p/nothing", json]))).toEqual([
      "ok",
      "stream-not-found",
      "content-type-mismatch",
    ]);
    const { subscriptions } = unwrap(await world.askEstuary(SESSION, (estuary) => estuary.describe()));
    expect(subscriptions.map((subscription) => subscription.source)).toEqual([text]);
  });

  it("[FO3] delays no other session when it fails, and gets everything once it works again", async () => {
    const chat = await source("chat");
    for (const session of [SESSION, "p/bob"]) unwrap(await subscribe([chat], { session }));
    const { database } = world.host(`stream:${SESSION}`);
    for (let failures = 0; failures < 3; failures += 1) database.failOnce(/^INSERT INTO log/, new Error("injected"));
    await publish(chat, "a;");
    await aSecond();
    expect([world.content(SESSION), world.content("p/bob")]).toEqual(["", "a;"]);
    await publish(chat, "b;");
    await world.fireAlarmsUntil(world.nowMs + 60_000);
    expect([world.content(SESSION), world.content("p/bob")]).toEqual(["a;b;", "a;b;"]);
  });

  it("[FO3] [AP18] that is full is asked ever less often, delays no other, and gets the rest when the limit is raised", async () => {
    world = new FanOutWorld({ streamBytesMax: 4 });
    const [chat, news] = [await source("chat"), await source("news")];
    for (const session of [SESSION, "p/bob"]) unwrap(await subscribe([chat], { session }));
    unwrap(await subscribe([news]));
    await publish(chat, "a;");
    await publish(news, "n;");
    await aSecond();
    await publish(chat, "b;");
    const delivered = callsOf("deliver");
    await world.fireAlarmsUntil(world.nowMs + 40_000);
    expect([world.content(SESSION)?.length, world.content("p/bob")]).toEqual([4, "a;b;"]);
    expect(callsOf("deliver") - delivered).toBeLessThan(10);
    world.limits = { ...world.limits, streamBytesMax: 0 };
    world.crash(`stream:${SESSION}`);
    await world.fireAlarmsUntil(world.nowMs + 40_000);
    expect(world.content(SESSION)?.split(";")?.toSorted()).toEqual(["", "a", "b", "n"]);
  });
});

describe("envelopes", () => {
  it("[SE8] carry sources of any type, each message with its source and offset", async () => {
    const sources = [
      await source("json", { contentType: "application/json" }),
      await source("text"),
      await source("image", { contentType: "image/png" }),
    ];
    unwrap(await subscribe(sources, { format: "envelope" }));
    await publish("p/json", '{"n":12345678901234567890},"two",', "application/json");
    await publish("p/text", 'say "hello"\n');
    await publish("p/image", "\u0001\u0002", "image/png");
    await aSecond();
    expect(world.content(SESSION)).toContain('"data":[{"n":12345678901234567890},"two"]}');
    const found = envelopes() as { source: string; offset: string }[];
    const of = (name: string) => found.find((envelope) => envelope.source === name);
    expect(found).toHaveLength(3);
    expect(of("text")).toMatchObject({ data: 'say "hello"\n' });
    expect(of("image")).toMatchObject({ data: "AQI=", encoding: "base64" });
    const { lineage, tail } = unwrap(world.stream("p/text").head());
    expect(of("text")?.offset).toBe(`${lineage.incarnation}_${String(tail).padStart(16, "0")}`);
  });

  it("[SE8] say so when a text was cut inside a character", async () => {
    const text = await source("text");
    unwrap(await subscribe([text], { format: "envelope" }));
    unwrap(await world.stream(text).append({ ...appendOf(""), bytes: utf8("é").slice(0, 1) }));
    await aSecond();
    expect(envelopes()).toMatchObject([{ data: "ww==", encoding: "base64" }]);
  });

  it("[SE9] say when a source is closed, after its last message", async () => {
    const chat = await source("chat");
    unwrap(await subscribe([chat], { format: "envelope" }));
    await publish(chat, "a");
    unwrap(await world.stream(chat).append(appendOf("b", { close: true })));
    await aSecond();
    expect(envelopes()).toMatchObject([{ data: "a" }, { data: "b" }, { source: "chat", control: "closed" }]);
    expect(world.leftovers(`followers:${chat}`)).toEqual([]);
  });

  it("[SE9] say so to whoever subscribes later, too", async () => {
    const chat = await source("chat");
    unwrap(await world.stream(chat).append(appendOf("a", { close: true })));
    unwrap(await subscribe([chat], { format: "envelope", from: START }));
    await aSecond();
    expect(envelopes()).toMatchObject([{ data: "a" }, { control: "closed" }]);
  });

  it("[SE9] say when a source is deleted; one that is made in its place is another", async () => {
    const chat = await source("chat");
    unwrap(await subscribe([chat], { format: "envelope" }));
    await publish(chat, "a");
    await aSecond();
    unwrap(await world.stream(chat).remove());
    await source("chat");
    await publish(chat, "b");
    await aSecond();
    expect(envelopes()).toMatchObject([{ data: "a" }, { source: "chat", control: "deleted" }]);
    unwrap(await world.askEstuary(SESSION, (estuary) => estuary.unsubscribe([chat])));
    unwrap(await subscribe([chat], { format: "envelope", from: START }));
    await aSecond();
    expect(envelopes()).toMatchObject([{ data: "a" }, { control: "deleted" }, { data: "b" }]);
  });

  it("[SE9] say when a source has expired", async () => {
    unwrap(await world.stream("p/chat").create(createOf({ lifetime: { kind: "ttl", ttlSeconds: 10 } })));
    unwrap(await subscribe(["p/chat"], { format: "envelope" }));
    await world.fireAlarmsUntil(world.nowMs + 20_000);
    await aSecond();
    expect(envelopes()).toMatchObject([{ source: "chat", control: "deleted" }]);
  });
});

describe("a session's lifetime", () => {
  const exists = (): boolean => world.stream(SESSION).head().ok;

  it("[SE12] is renewed by reads, touches and subscribing, not by what arrives", async () => {
    const chat = await source("chat");
    unwrap(await subscribe([chat]));
    const uses = [
      () => world.stream(SESSION).read({ from: START, ifNoneMatch: null, paging: "bytes" }),
      () => world.askEstuary(SESSION, (estuary) => estuary.touch()),
      () => subscribe([chat]),
    ];
    for (const use of uses) {
      await world.fireAlarmsUntil(world.nowMs + 80_000);
      unwrap(await use());
    }
    for (let seconds = 0; seconds < 120; seconds += 20) {
      await publish(chat, "x");
      await world.fireAlarmsUntil(world.nowMs + 20_000);
    }
    expect(exists()).toBe(false);
  });

  it("[SE12] ends with its links and its stream, and nothing else", async () => {
    const chat = await source("chat");
    unwrap(await subscribe([chat]));
    await world.fireAlarmsUntil(world.nowMs + 300_000);
    expect(exists()).toBe(false);
    const keys = [`stream:${SESSION}`, `estuary:${SESSION}`, `followers:${chat}`] as const;
    expect(keys.map((key) => world.leftovers(key))).toEqual([[], [], []]);
    expect(codeOf(world.stream(chat).head())).toBe("ok");
    expect(codeOf(await world.askEstuary(SESSION, (estuary) => estuary.describe()))).toBe("estuary-not-found");
  });

  it("[SE12] survives a crash that comes after what arrived", async () => {
    const chat = await source("chat");
    unwrap(await subscribe([chat]));
    await world.fireAlarmsUntil(world.nowMs + 99_000);
    await publish(chat, "x");
    await world.fireAlarmsUntil(world.nowMs + 500);
    world.crash(`stream:${SESSION}`);
    await world.fireAlarmsUntil(world.nowMs + 60_000);
    expect(exists()).toBe(false);
  });

  it("[SE12] may be ended at once; a new session of that name is another", async () => {
    const chat = await source("chat");
    unwrap(await subscribe([chat]));
    await publish(chat, "a");
    await aSecond();
    unwrap(await world.askEstuary(SESSION, (estuary) => estuary.remove()));
    unwrap(await subscribe([chat]));
    await publish(chat, "b");
    await world.fireAlarmsUntil(world.nowMs + 50_000);
    expect(world.content(SESSION)).toBe("b");
    const { page } = unwrap(world.stream(SESSION).read({ from: START, ifNoneMatch: null, paging: "bytes" }));
    expect(textOf(page)).toBe("b");
  });
});

it("subscribing that would wait behind too many other changes of a source is refused, and the session is as it was", async () => {
  const [chat, news] = [await source("chat"), await source("news")];
  const calls = Array.from({ length: 400 }, () => codes(subscribe([chat])));
  const results = (await Promise.all(calls)).flat();
  expect(new Set(results)).toEqual(new Set(["ok", "overloaded"]));
  // A source whose notification fails sends it again.
  const ends = Array.from({ length: 400 }, () => world.askEstuary(SESSION, (estuary) => estuary.linkEnded(chat, 2)));
  const [failed] = (await Promise.allSettled(ends)).filter(({ status }) => status === "rejected");
  expect(failed).toMatchObject({ reason: { message: expect.stringContaining("Too many changes are waiting") } });
  expect(await codes(subscribe([chat, news]))).toEqual(["ok", "ok"]);
  await publish(chat, "a");
  await aSecond();
  expect(world.content(SESSION)).toBe("a");
});
