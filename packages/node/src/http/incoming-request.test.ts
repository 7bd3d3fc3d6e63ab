import { EventEmitter, once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough } from "node:stream";

import { describe, expect, it } from "vitest";

import { IncomingRequest } from "./incoming-request.ts";

const NO_RESPONSE = {} as ServerResponse;

/** A request whose body the test sends. */
function sending() {
  const sender = new PassThrough();
  const headers = { host: "localhost", "transfer-encoding": "chunked" };
  const message = Object.assign(sender, { method: "POST", url: "/x", headers }) as unknown as IncomingMessage;
  return { sender, request: new IncomingRequest(message, NO_RESPONSE, { scheme: "http" }) };
}

it("a body is read in parts, to its end", async () => {
  const { sender, request } = sending();
  const parts: string[] = [];
  const reading = (async () => {
    for await (const part of request.body ?? []) parts.push(Buffer.from(part).toString());
  })();
  sender.write("a");
  await expect.poll(() => parts).toEqual(["a"]);
  sender.end("b");
  await reading;
  expect([parts, request.bodyUsed]).toEqual([["a", "b"], true]);
});

it("what arrives after a body has been given up is dropped", async () => {
  const { sender, request } = sending();
  const reader = request.body?.getReader();
  sender.write("a");
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("a");
  await reader?.cancel();
  sender.write("b");
  sender.end("c");
  await once(sender, "end");
});

it("a body that is cut off fails, and is not taken for the whole", async () => {
  const { sender, request } = sending();
  const reader = request.body?.getReader();
  sender.write("a");
  await reader?.read();
  const next = reader?.read();
  sender.destroy();
  await expect(next).rejects.toThrow("before the whole body had arrived");
  await expect(reader?.closed).rejects.toThrow("before the whole body had arrived");
});

describe("the signal of a request", () => {
  function closing() {
    const response = Object.assign(new EventEmitter(), { writableFinished: false });
    const request = new IncomingRequest(
      { url: "/x", headers: {} } as unknown as IncomingMessage,
      response as unknown as ServerResponse,
      { scheme: "http" },
    );
    const heard: string[] = [];
    return { response, signal: request.signal, heard, add: (name: string) => () => void heard.push(name) };
  }

  it("tells each listener once that the client has disconnected, also those after one that removes itself", () => {
    const { response, signal, heard, add } = closing();
    const leaving = (): void => {
      heard.push("leaving");
      signal.removeEventListener("abort", leaving);
    };
    const [removed, last] = [add("removed"), add("last")];
    for (const listener of [leaving, removed, last, last]) signal.addEventListener("abort", listener);
    signal.removeEventListener("abort", removed);
    response.emit("close");
    response.emit("close");
    expect(heard).toEqual(["leaving", "last"]);
  });

  it("tells nothing when the response has ended", () => {
    const { response, signal, heard, add } = closing();
    signal.addEventListener("abort", add("aborted"));
    response.writableFinished = true;
    response.emit("close");
    expect(heard).toEqual([]);
  });
});

it("a whole body whose client left before anybody asked for it fails, and is not waited for", async () => {
  const { sender, request } = sending();
  sender.write("a");
  sender.destroy();
  await once(sender, "close");
  await expect(request.bytes()).rejects.toThrow("before the whole body had arrived");
});

it.each(["whole", "in parts"])(
  "a body of HTTP/2 whose stream was reset is not taken for the whole: %s",
  async (how) => {
    const sender = new PassThrough();
    const stream = { endAfterHeaders: false };
    const message = Object.assign(sender, { method: "POST", url: "/x", headers: {}, stream, aborted: true });
    const request = new IncomingRequest(message as unknown as IncomingMessage, NO_RESPONSE, { scheme: "https" });
    sender.end("a");
    const read = how === "whole" ? request.bytes() : request.body?.getReader().read();
    await expect(read).rejects.toThrow("before the whole body had arrived");
  },
);
