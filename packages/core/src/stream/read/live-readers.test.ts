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

  it("that is too large for all readers together is sent to none, and they read it", () => {
    const sockets = Array.from({ length: 33 }, () => new FakeSocket(10));
    const bytes = new Uint8Array(MIB);
    const frame = { from: 10, to: 10 + MIB, closed: false, bytes };
    new LiveReaders(() => sockets.slice(0, 32)).broadcast(frame);
    expect(sockets.filter(({ messages }) => messages.length === 1)).toHaveLength(32);
    const others = sockets.map(() => new FakeSocket(10));
    new LiveReaders(() => others).broadcast(frame);
    expect(others.every(({ messages, closed }) => messages.length === 0 && closed?.code === CLOSE_BEHIND)).toBe(true);
  });

  it("of more than 4 MiB is sent to nobody: its readers read it page by page", () => {
    const socket = new FakeSocket(10);
    const bytes = new Uint8Array(4 * MIB + 1);
    new LiveReaders(() => [socket]).broadcast({ from: 10, to: 10 + bytes.length, closed: false, bytes });
    expect(socket).toMatchObject({ messages: [], closed: { code: CLOSE_BEHIND } });
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
    const readers = new LiveReaders((of) => sockets.filter(({ isPublic }) => of === undefined || isPublic));
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
