import { utf8 } from "@durable-streams-cloudflare/testkit";
import { FakeSocket } from "@durable-streams-cloudflare/testkit/node-host";
import { describe, expect, it } from "vitest";

import { CLOSE_BEHIND, CLOSE_GONE, decodeFrame, type LiveFrame } from "../../contracts/live-frame.ts";
import { LiveReaders } from "./live-readers.ts";

const FRAME: LiveFrame = { from: 10, to: 13, closed: false, bytes: utf8("abc") };
const MIB = 1024 * 1024;

describe("a commit", () => {
  it("[SS22] goes only to readers that stand where it begins, and moves them to its end", () => {
    const [before, at, after] = [new FakeSocket(9), new FakeSocket(10), new FakeSocket(13)];
    new LiveReaders(() => [before, at, after]).broadcast(FRAME);
    expect(at.messages.map(decodeFrame)).toEqual([FRAME]);
    expect(at.deserializeAttachment()).toBe(13);
    expect(at.closed).toBeUndefined();
    for (const other of [before, after]) {
      expect(other.messages).toEqual([]);
      expect(other.closed?.code).toBe(CLOSE_BEHIND);
    }
  });

  it("[SS18] turns away a reader that is too slow, and no other", () => {
    const [slow, busy] = [new FakeSocket(10), new FakeSocket(10)];
    slow.bufferedAmount = 4 * MIB + 1;
    busy.bufferedAmount = 4 * MIB;
    new LiveReaders(() => [slow, busy]).broadcast(FRAME);
    expect(slow).toMatchObject({ messages: [], closed: { code: CLOSE_BEHIND } });
    expect(busy.messages).toHaveLength(1);
  });

  it.each([
    ["for all readers together", 32, 33, MIB],
    ["for one reader", 1, 1, 4 * MIB + 1],
  ])("[SS22] that is too large %s is sent as its range, and no reader is closed", (_, fitting, count, size) => {
    const frame = { from: 10, to: 10 + size, closed: true, bytes: new Uint8Array(size) };
    const sockets = Array.from({ length: fitting }, () => new FakeSocket(10));
    new LiveReaders(() => sockets).broadcast({ ...frame, bytes: frame.bytes.subarray(0, MIB) });
    expect(sockets.every(({ messages }) => messages[0]?.byteLength === MIB + 18)).toBe(true);
    const others = Array.from({ length: count }, () => new FakeSocket(10));
    new LiveReaders(() => others).broadcast(frame);
    for (const { messages, closed } of others) {
      expect(messages.map(decodeFrame)).toEqual([{ ...frame, bytes: new Uint8Array() }]);
      expect(closed).toBeUndefined();
    }
    expect(others[0]?.deserializeAttachment()).toBe(frame.to);
  });

  it("that is too large is no message for an edge of an older version, which has not asked for ranges: it catches up", () => {
    const [older, newer] = [new FakeSocket(10), new FakeSocket(10)];
    const size = 4 * MIB + 1;
    const readers = new LiveReaders((of) => (of === "ranges" ? [newer] : [older, newer]));
    readers.broadcast({ from: 10, to: 10 + size, closed: false, bytes: new Uint8Array(size) });
    expect(older).toMatchObject({ messages: [], closed: { code: CLOSE_BEHIND } });
    expect(newer.closed).toBeUndefined();
    // Should it get there all the same, that edge takes it for a message of another version, and not for an empty commit.
    expect(new DataView(newer.messages[0] as ArrayBuffer).getUint8(0)).toBe(2);
  });

  it("reaches the others when one reader has gone away unnoticed, and leaves that one where it was", () => {
    const [broken, well] = [new FakeSocket(10), new FakeSocket(10)];
    broken.isBroken = true;
    new LiveReaders(() => [broken, well]).broadcast(FRAME);
    expect(well.messages).toHaveLength(1);
    expect(broken.deserializeAttachment()).toBe(10);
  });
});

describe("a reader slot", () => {
  function admit(readers: LiveReaders, readersMax: number): boolean {
    const hasSlot = readers.hasSlot("all", readersMax);
    if (hasSlot) readers.take("tokens");
    return hasSlot;
  }

  it("is granted until as many readers wait as may, and is free again when one has left", () => {
    const sockets: FakeSocket[] = [];
    const readers = new LiveReaders(() => sockets);
    const attach = (): boolean => admit(readers, 2) && sockets.push(new FakeSocket(10)) > 0;
    expect([attach(), attach(), attach()]).toEqual([true, true, false]);
    sockets.pop();
    expect([attach(), attach()]).toEqual([true, false]);
  });

  it("is not taken twice by readers that an earlier instance of the object knew", () => {
    const readers = new LiveReaders(() => [new FakeSocket(10), new FakeSocket(10)]);
    expect(admit(readers, 2)).toBe(false);
    expect(admit(readers, 3)).toBe(true);
  });

  it("is found without counting all sockets for each reader", () => {
    let counts = 0;
    const sockets: FakeSocket[] = [];
    const readers = new LiveReaders(() => {
      counts += 1;
      return sockets;
    });
    for (let reader = 0; reader < 1_000; reader += 1) expect(admit(readers, 1_000)).toBe(true);
    expect(counts).toBe(1);
  });

  it("is counted for each kind of reader by itself, and for all of them", () => {
    const sockets = [new FakeSocket(10, true), new FakeSocket(10), new FakeSocket(10, true)];
    const readers = new LiveReaders((of) => sockets.filter(({ isPublic }) => of !== "public" || isPublic));
    expect([readers.count(), readers.count("public"), readers.count("tokens")]).toEqual([3, 2, 1]);
    const hasSlot = (): readonly boolean[] => [readers.hasSlot("public", 3), readers.hasSlot("tokens", 2)];
    expect(hasSlot()).toEqual([true, true]);
    readers.take("public");
    sockets.push(new FakeSocket(10, true));
    expect([...hasSlot(), readers.hasSlot("all", 4), readers.hasSlot("all", 5)]).toEqual([false, true, false, true]);
  });
});

it("a sweep turns away all who do not stand at the tail", () => {
  const [behind, current] = [new FakeSocket(9), new FakeSocket(10)];
  new LiveReaders(() => [behind, current]).sweep(10);
  expect(behind.closed?.code).toBe(CLOSE_BEHIND);
  expect(current.closed).toBeUndefined();
});

it("the end of a stream ends all readers, wherever they stand", () => {
  const sockets = [new FakeSocket(0), new FakeSocket(10)];
  const readers = new LiveReaders(() => sockets);
  expect(readers.count()).toBe(2);
  readers.endAll();
  expect(sockets.map(({ closed }) => closed?.code)).toEqual([CLOSE_GONE, CLOSE_GONE]);
});
