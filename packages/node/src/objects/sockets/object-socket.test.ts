/** A socket between the moment in which its object admits it, and that in which its connection is there. */

import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { ObjectSocket, type Carrier } from "./object-socket.ts";

const LIMITS = { max: 1, messageBytesMax: 1 };
const ended: (readonly [code: number, reason: string])[] = [];

function newSocket(): ObjectSocket {
  const gate = { emit: (work: () => void) => work() };
  return new ObjectSocket({ attachment: null, tags: [] }, LIMITS, gate, {
    onMessage: async () => undefined,
    onEnded: (_, ...how) => void ended.push(how),
  });
}

function newCarrier(bufferedBytes = 0) {
  const sent: unknown[] = [];
  const carrier: Carrier = {
    send: (message) => void sent.push(message),
    close: (code) => void sent.push(code),
    destroy: () => void sent.push("destroyed"),
    bufferedBytes,
  };
  return { carrier, sent };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  ended.length = 0;
});

it("sends what its object has sent before, in order, with bytes as they were", () => {
  const socket = newSocket();
  const { carrier, sent } = newCarrier();
  const bytes = new Uint8Array([1]);
  socket.send("a");
  socket.send(bytes);
  socket.close(4_000);
  bytes[0] = 2;
  socket.carry(carrier);
  expect(sent).toEqual(["a", new Uint8Array([1]), 4_000]);
});

it("ends if its connection never comes, and a connection that comes later is ended", () => {
  const socket = newSocket();
  vi.advanceTimersByTime(30_000);
  expect(ended).toEqual([[1006, ""]]);
  const { carrier, sent } = newCarrier();
  socket.carry(carrier);
  socket.send("late");
  expect([sent, ended.length]).toEqual([["destroyed"], 1]);
});

it("ends if its object sends too much before its connection comes", () => {
  const socket = newSocket();
  for (let count = 0; count <= 1_000; count += 1) socket.send("x");
  expect(ended).toEqual([[1013, "The connection was not opened."]]);
});

it("is cut off when too much waits for its client", () => {
  const socket = newSocket();
  const { carrier, sent } = newCarrier(4 * 1024 * 1024 + 1);
  socket.carry(carrier);
  vi.advanceTimersByTime(30_000);
  expect(ended).toEqual([]);
  socket.send("x");
  expect([sent, ended]).toEqual([["x", "destroyed"], [[1013, "The client does not read."]]]);
});

it("refuses an attachment that Cloudflare might not keep", () => {
  expect(() => newSocket().attach({ text: "x".repeat(2_048) })).toThrow("at most 2048 bytes of JSON");
});
