import { FOREVER } from "@durable-streams-cloudflare/protocol";
import { utf8 } from "@durable-streams-cloudflare/testkit";
import { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";
import { describe, expect, it } from "vitest";

import { appendOf, createOf, newHost, streamOn, type Host } from "../../../test/stream-fixture.ts";
import { REMEMBERED_MS, REPEATED_MS_MAX } from "../../contracts/request-id.ts";
import type { AppendCommand } from "../../contracts/stream.ts";
import type { Stream } from "../stream.ts";

const producer = { id: "p", epoch: 0, seq: 0 };

async function newStream(host = newHost()): Promise<{ host: Host; stream: Stream }> {
  const stream = streamOn(host);
  await stream.create(createOf());
  return { host, stream };
}

function tailOf(stream: Stream): number {
  const result = stream.head();
  if (!result.ok) throw new Error(result.problem.code);
  return result.tail;
}

const again = (command: AppendCommand, repeatedAfterMs = 100): AppendCommand => ({ ...command, repeatedAfterMs });

describe.each([
  { about: "a plain append", command: appendOf("abc", { attempt: "a" }) },
  { about: "a producer's append", command: appendOf("abc", { attempt: "a", producer }) },
])("$about that arrives once more", ({ command }) => {
  it("[AP15] is stored once, and answered as it was", async () => {
    const { stream } = await newStream();
    const first = await stream.append(command);
    await stream.append(appendOf("other"));
    expect(await stream.append(again(command))).toEqual(first);
    expect(tailOf(stream)).toBe(8);
  });

  it("while the first copy waits for the disk shares its answer, and takes no space in the queue", async () => {
    const host = newHost();
    const stream = streamOn(host, { pendingAppendsMax: 2 });
    await stream.create(createOf());
    const sync = Promise.withResolvers<void>();
    host.onSyncOnce(() => sync.promise);
    const answers = [stream.append(appendOf("x")), stream.append(command), stream.append(again(command))];
    sync.resolve();
    const [, first, second] = await Promise.all(answers);
    expect(second).toEqual(first);
    expect(tailOf(stream)).toBe(4);
  });

  it("is answered as it was although the stream has closed since, unlike a repeat by the client", async () => {
    const { stream } = await newStream();
    const first = await stream.append(command);
    await stream.append(appendOf("", { close: true, attempt: "b" }));
    expect(await stream.append(again(command))).toEqual({ ...first, closed: true });
    const { attempt: _, ...rest } = command;
    const ofClient = await stream.append({ ...rest, attempt: "c" });
    expect(ofClient).toMatchObject({ ok: false, problem: { code: "stream-closed" } });
  });

  it("[AP15] after the object was restarted is stored once", async () => {
    const { host, stream } = await newStream();
    const first = await stream.append(command);
    for (let index = 0; index < 1_000; index += 1) await stream.append(appendOf("x", { attempt: `x${index}` }));
    expect(await streamOn(host).append(again(command))).toEqual(first);
  });

  it("[IN11] after another stream was made in the place of its own is not stored in that one", async () => {
    const { stream } = await newStream();
    const first = await stream.append(command);
    await stream.remove();
    await stream.create(createOf());
    expect(await stream.append(again(command))).toEqual(first);
    expect(tailOf(stream)).toBe(0);
  });

  it("after that and a restart is not stored either", async () => {
    const { host, stream } = await newStream();
    const first = await stream.append(command);
    const restarted = streamOn(host);
    await restarted.remove();
    await restarted.create(createOf());
    const last = streamOn(host);
    expect(await last.append(again(command))).toMatchObject(first);
    expect(tailOf(last)).toBe(0);
  });

  it("after its stream was deleted, the object restarted, and another stream made, has unknown effects", async () => {
    const { host, stream } = await newStream();
    await stream.append(command);
    await stream.remove();
    const restarted = streamOn(host);
    host.nowMs += 50;
    await restarted.create(createOf());
    const answer = await restarted.append(again(command));
    expect(answer).toMatchObject({ ok: false, problem: { code: "unavailable" } });
    expect(tailOf(restarted)).toBe(0);
  });
});

describe("request ids", () => {
  it("are remembered for longer than any copy is sent", () => {
    expect(REMEMBERED_MS).toBeGreaterThanOrEqual(2 * REPEATED_MS_MAX);
  });

  it("that may have been forgotten are not stored again", async () => {
    const { stream } = await newStream();
    const late = again(appendOf("abc", { attempt: "a" }), REMEMBERED_MS + 1);
    expect(await stream.append(late)).toMatchObject({ ok: false, problem: { code: "unavailable" } });
    expect(tailOf(stream)).toBe(0);
  });

  it("of a segment's rows outlive them, as long as a copy may still arrive", async () => {
    const host = newHost();
    host.segments = new FakeSegmentStore();
    const stream = streamOn(host, { segmentBytes: 3_000, segmentBytesMin: 1 });
    await stream.create(createOf());
    for (let index = 0; index < 300; index += 1) await stream.append(appendOf("0123456789", { attempt: `a${index}` }));
    host.nowMs += 5_000;
    await stream.alarm();
    expect(host.segments.objects.size).toBe(1);
    const restarted = streamOn(host);
    for (let index = 0; index < 300; index += 1) {
      const copy = again(appendOf("0123456789", { attempt: `a${index}` }));
      expect(await restarted.append(copy)).toMatchObject({ ok: true, tail: 10 * (index + 1) });
    }
    expect(tailOf(restarted)).toBe(3_000);
  });

  it("too many to outlive a segment's rows keep those in the object, until they are not repeated any more", async () => {
    const host = newHost();
    host.segments = new FakeSegmentStore();
    const stream = streamOn(host, { segmentBytes: 20_000, segmentBytesMin: 1 });
    await stream.create(createOf());
    const appends = Array.from({ length: 20_000 }, (_, index) => appendOf("x", { attempt: `a${index}` }));
    for (let from = 0; from < appends.length; from += 4_000) await stream.appendAll(appends.slice(from, from + 4_000));
    await stream.alarm();
    expect(host.segments.objects.size).toBe(0);
    expect(host.alarmAtMs).toBeLessThan(host.nowMs + 10_000);
    host.nowMs += REMEMBERED_MS + 1;
    await stream.alarm();
    expect(host.segments.objects.size).toBe(1);
  });
});

describe("a creation that arrives once more", () => {
  const command = createOf({ attempt: "a", bytes: utf8("abc") });

  it("[CR11] is answered as it was, whatever has been appended since", async () => {
    const stream = streamOn(newHost());
    const first = await stream.create(command);
    await stream.append(appendOf("def"));
    await stream.append(appendOf("", { close: true }));
    expect(await stream.create({ ...command, repeatedAfterMs: 100 })).toEqual(first);
  });

  it("[CR11] [IN11] does not bring back a stream that was deleted since", async () => {
    const stream = streamOn(newHost());
    const first = await stream.create(command);
    await stream.remove();
    expect(await stream.create({ ...command, repeatedAfterMs: 100 })).toEqual(first);
    expect(stream.head()).toMatchObject({ ok: false, problem: { code: "stream-not-found" } });
  });

  it("[CR11] [IN11] does not do so after a restart before the deletion", async () => {
    const host = newHost();
    const first = await streamOn(host).create(command);
    const restarted = streamOn(host);
    await restarted.remove();
    expect(await restarted.create({ ...command, repeatedAfterMs: 100 })).toEqual(first);
    expect(restarted.head()).toMatchObject({ ok: false });
  });

  it("by a client itself creates the stream anew, or confirms the one that exists", async () => {
    const stream = streamOn(newHost());
    await stream.create(command);
    expect(await stream.create({ ...command, attempt: "b" })).toMatchObject({ ok: true, created: false });
    await stream.remove();
    const lifetime = FOREVER;
    expect(await stream.create(createOf({ attempt: "c", lifetime }))).toMatchObject({ ok: true, created: true });
  });
});

describe("a deletion that names the incarnation", () => {
  it("[DE6] takes no other stream with it", async () => {
    const { stream } = await newStream();
    const found = stream.head();
    if (!found.ok) throw new Error(found.problem.code);
    const { incarnation } = found.lineage;
    expect(await stream.remove(incarnation)).toEqual({ ok: true });
    await stream.create(createOf());
    await stream.append(appendOf("abc"));
    expect(await stream.remove(incarnation)).toMatchObject({ ok: false, problem: { code: "stream-not-found" } });
    expect(tailOf(stream)).toBe(3);
  });
});
