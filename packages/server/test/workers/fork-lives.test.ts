import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { append, content, evict, inObject, problemCode, type Edge } from "./edge.ts";
import { EventReader } from "./events.ts";
import { Family, isBlank, put, fireAllAlarms, statusOf, tailOf, type Relative } from "./family.ts";
import { loseNextAnswer } from "./lost-answers.ts";
import { countRows } from "./rows.ts";

const METHODS = ["GET", "HEAD", "POST", "DELETE"];

async function die(edge: Edge): Promise<void> {
  // Aborting fails the very call that asked for it.
  await inObject(edge, (_, state) => state.abort("the test ends this object")).catch(() => undefined);
}

/** Source "abc", fork "abcdef". */
async function twoLevels(
  vars: Record<string, string> = {},
): Promise<{ family: Family; source: Relative; fork: Relative }> {
  const family = new Family(vars);
  const source = await family.create("source", {}, "abc");
  const fork = await family.fork("fork", source);
  await append(fork, "def");
  return { family, source, fork };
}

describe("a deleted stream that forks need", () => {
  it("[FK10] is gone for everyone else, and its path is taken", async () => {
    const { family, source, fork } = await twoLevels();
    expect(await statusOf(source, "DELETE")).toBe(204);
    expect(await Promise.all(METHODS.map((method) => statusOf(source, method)))).toEqual(METHODS.map(() => 410));
    const again = await put(source, { "Content-Type": "text/plain" });
    expect([again.status, await problemCode(again)]).toEqual([409, "path-retained"]);
    const another = await put(family.stream("another"), { "Stream-Forked-From": source.path });
    expect([another.status, await problemCode(another)]).toEqual([409, "fork-source-deleted"]);
    await evict(source);
    expect(await statusOf(source, "HEAD")).toBe(410);
    expect(await content(fork)).toBe("abcdef");
  });

  it("[FK10] ends its live readers: long-poll with 410, SSE at its end", async () => {
    const { source } = await twoLevels({ LONG_POLL_TIMEOUT_MS: "20000" });
    const events = new EventReader(await source.fetch("?offset=now&live=sse"));
    await events.take(1);
    const poll = source.fetch("?offset=now&live=long-poll");
    while (source.liveReads.count < 2) await scheduler.wait(5);
    await statusOf(source, "DELETE");
    expect((await poll).status).toBe(410);
    expect(await events.take(2)).toEqual(["problem:stream-not-found", "end"]);
  });

  it("[FK12] is removed with its last fork, to the last byte, and its path is free", async () => {
    const { family, source, fork } = await twoLevels();
    const second = await family.fork("second", source);
    await statusOf(source, "DELETE");
    await statusOf(fork, "DELETE");
    await fireAllAlarms([source, fork, second]);
    expect([await isBlank(fork), await isBlank(source)]).toEqual([true, false]);
    expect(await content(second)).toBe("abc");
    await statusOf(second, "DELETE");
    await fireAllAlarms([source, fork, second]);
    expect(await Promise.all([source, fork, second].map(isBlank))).toEqual([true, true, true]);
    expect((await put(source, { "Content-Type": "text/plain" })).status).toBe(201);
  });

  it("[FK12] may have expired instead, and so may its forks: the alarms free all of them", async () => {
    const family = new Family();
    const soon = { "Stream-Expires-At": new Date(Date.now() - 1_000).toISOString() };
    const source = await family.create("source", {}, "abc");
    const fork = await family.fork("fork", source, soon);
    await statusOf(source, "DELETE");
    expect(await statusOf(source, "HEAD")).toBe(410);
    expect(await statusOf(fork, "GET")).toBe(404);
    await fireAllAlarms([fork, source]);
    expect([await isBlank(fork), await isBlank(source)]).toEqual([true, true]);
  });

  it("[FK17] survives the crash of both objects between any two of these steps", async () => {
    const { source, fork } = await twoLevels();
    const both = async (): Promise<void> => {
      await die(fork);
      await die(source);
    };
    await both();
    await statusOf(source, "DELETE");
    await both();
    expect(await content(fork)).toBe("abcdef");
    await both();
    await statusOf(fork, "DELETE");
    await both();
    expect(await isBlank(source)).toBe(false);
    await runDurableObjectAlarm(fork.stub());
    await both();
    await fireAllAlarms([source, fork]);
    expect([await isBlank(fork), await isBlank(source)]).toEqual([true, true]);
  });

  it("[FK17] and a fork that is made at the same moment are ordered: one comes first, each time", async () => {
    const outcomes = new Set<string>();
    for (let round = 0; round < 15; round += 1) {
      const family = new Family();
      const source = await family.create("source", {}, "abc");
      const fork = family.stream("fork");
      const creation = put(fork, { "Stream-Forked-From": source.path });
      if (round % 3 > 0) await scheduler.wait(round % 3 === 1 ? 0 : 1);
      const [created, removed] = await Promise.all([creation, statusOf(source, "DELETE")]);
      outcomes.add(`${created.status} ${removed}`);
      const text = created.status === 201 ? await content(fork) : "abc";
      expect(text).toBe("abc");
      await statusOf(fork, "DELETE");
      await fireAllAlarms([source, fork]);
      expect([await isBlank(fork), await isBlank(source)]).toEqual([true, true]);
    }
    for (const outcome of outcomes) expect(["201 204", "404 204", "409 204"]).toContain(outcome);
  });
});

describe("a source that dies while a fork of it is made", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"] });
  });

  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it.each([true, false])(
    "does not fail the fork, and does not stay pinned (pinned before it died: %s)",
    async (isMade) => {
      const family = new Family();
      const source = await family.create("source", {}, "abc");
      loseNextAnswer("pin", isMade);
      const fork = await family.fork("fork", source);
      expect(await content(fork)).toBe("abc");
      await statusOf(source, "DELETE");
      await statusOf(fork, "DELETE");
      expect(await isBlank(source)).toBe(false);
      // The lost pin might still come until it is too old; then its pending release is due.
      vi.setSystemTime(Date.now() + 61_000);
      await fireAllAlarms([fork, source]);
      expect([await isBlank(fork), await isBlank(source)]).toEqual([true, true]);
    },
  );
});

describe("a source's appends after the fork", () => {
  it("[FK15] [IN12] [SS19] [LP9] never reach or wake the fork's readers", async () => {
    const { source, fork } = await twoLevels({ LONG_POLL_TIMEOUT_MS: "300" });
    const events = new EventReader(await fork.fetch("?offset=now&live=sse"));
    await events.take(1);
    const poll = fork.fetch("?offset=now&live=long-poll");
    while (fork.liveReads.count < 2) await scheduler.wait(5);
    for (const text of ["x", "y", "z"]) await append(source, text);
    expect((await poll).status).toBe(204);
    await append(fork, "own");
    expect(await events.take(2)).toEqual(["data:own", "control@9 up-to-date"]);
    await events.cancel();
    expect(await content(fork)).toBe("abcdefown");
    expect(await content(source)).toBe("abcxyz");
  });

  it("[JS7] [FK15] are not in a JSON read across the fork point, which is one array", async () => {
    const family = new Family();
    const json = { "Content-Type": "application/json" };
    const source = await family.create("source", json, "[1,2]");
    const fork = await family.fork("fork", source);
    await append(fork, "3", json);
    await append(source, "4", json);
    expect(await content(fork)).toBe("[1,2,3]");
    expect(await (await fork.fetch(`?offset=${await tailOf(source)}`)).text()).toContain("offset");
  });
});

describe("[DE4] [LT9] [OF12] a URL whose stream is over and that is used again", () => {
  const WINDOW_MS = 1_000_000;
  type Headers = Record<string, string>;

  const makers: Record<string, (stream: Relative, source: Relative, headers: Headers) => Promise<Response>> = {
    "as a stream": (stream, _, headers) => put(stream, { "Content-Type": "text/plain", ...headers }, "new"),
    "as a fork": (stream, source, headers) => put(stream, { "Stream-Forked-From": source.path, ...headers }),
  };
  const ends: Record<string, (stream: Relative) => Promise<unknown>> = {
    "was deleted": (stream) => statusOf(stream, "DELETE"),
    "has expired": async () => vi.setSystemTime(Date.now() + WINDOW_MS),
    "has expired, and its alarm has rung,": async (stream) => {
      vi.setSystemTime(Date.now() + WINDOW_MS);
      await runDurableObjectAlarm(stream.stub());
    },
  };
  const kinds = Object.keys(makers);
  const table = Object.keys(ends).flatMap((end) =>
    kinds.flatMap((before) => kinds.map((after) => ({ before, end, after }))),
  );

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"] });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it.each(table)("made $before, $end then made $after: old offsets, tags and readers end", async (row) => {
    const family = new Family();
    const source = await family.create("source", {}, "src");
    const stream = family.stream("stream");
    const expiresAt = new Date(Date.now() + WINDOW_MS).toISOString();
    await makers[row.before]?.(stream, source, { "Stream-Expires-At": expiresAt });
    await append(stream, "abc");
    const old = await stream.fetch("?offset=-1");
    const oldText = await old.text();
    const tag = old.headers.get("ETag") ?? "";
    const tail = old.headers.get("Stream-Next-Offset");
    const events = new EventReader(await stream.fetch("?offset=now&live=sse"));
    await events.take(1);
    vi.setSystemTime(Date.now() + 2_000); // No event stream is shorter than a second.
    await ends[row.end]?.(stream);
    expect((await makers[row.after]?.(stream, source, {}))?.status).toBe(201);
    await append(stream, "xyz");
    expect(await events.take(2)).toEqual(["problem:stream-not-found", "end"]);
    expect(await statusOf(stream, "HEAD")).toBe(200);
    expect((await stream.fetch(`?offset=${tail}`)).status).toBe(410);
    expect((await stream.fetch(`?offset=${tail}&live=long-poll`)).status).toBe(410);
    const fresh = await stream.fetch("?offset=-1", { headers: { "If-None-Match": tag } });
    expect(fresh.status).toBe(200);
    expect(await fresh.text()).not.toBe(oldText);
    expect(fresh.headers.get("ETag")).not.toBe(tag);
  });
});

it("[IN11] a stream that is created while its URL is being cleared survives, and so it does the next crash", async () => {
  const seen = new Set<number>();
  for (let round = 0; round < 20; round += 1) {
    const family = new Family();
    const source = await family.create("source", {}, "abc");
    const stream = round % 2 === 0 ? await family.create("stream") : await family.fork("stream", source);
    const object = env.STREAMS.getByName(stream.name);
    const head = await object.head();
    if (!head.ok) throw new Error("The stream is not there.");
    // Straight to the object: the edge would ask for the incarnation first, and the creation would find the stream.
    const removal = object.remove(head.lineage.incarnation);
    const [made] = await Promise.all([put(stream, { "Content-Type": "text/plain" }, "new"), removal]);
    seen.add(made.status);
    await die(stream);
    expect(await statusOf(stream, "HEAD")).toBe(made.status === 201 ? 200 : 404);
    await fireAllAlarms([stream, source]);
    expect(await statusOf(stream, "HEAD")).toBe(made.status === 201 ? 200 : 404);
  }
  expect([...seen]).toContain(201);
});

describe("rows written", () => {
  it("by reading a fork: none, in no object", async () => {
    const { source, fork } = await twoLevels();
    const counts = [await countRows(source), await countRows(fork)];
    expect(await content(fork)).toBe("abcdef");
    expect(await statusOf(fork, "HEAD")).toBe(200);
    expect(await Promise.all(counts.map((count) => count.take()))).toEqual([0, 0]);
  });

  it("by asking for a stream that is not there: none, and nothing is stored", async () => {
    const nobody = new Family().stream("nobody");
    expect(await Promise.all(METHODS.map((method) => statusOf(nobody, method)))).toEqual(METHODS.map(() => 404));
    expect(await isBlank(nobody)).toBe(true);
  });

  it("by a fork that was refused: nothing is left", async () => {
    const family = new Family();
    const fork = family.stream("fork");
    expect((await put(fork, { "Stream-Forked-From": family.stream("nobody").path })).status).toBe(404);
    expect(await isBlank(fork)).toBe(true);
  });
});
