import { gzipSync } from "node:zlib";

import { expect, it } from "vitest";

import { readBody } from "./body.ts";
import { HeldBytes, type Held } from "./held-bytes.ts";
import { readJson } from "./json-body.ts";

const LIMIT = { bytesMax: 1_000, secondsMax: 0.02 };

/** A request whose body begins, and never ends. */
function trickle(headers: Record<string, string> = {}): { request: Request; cancelled: Promise<void> } {
  const cancelled = Promise.withResolvers<void>();
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode("{")),
    cancel: () => cancelled.resolve(),
  });
  const init = { method: "POST", body, headers, duplex: "half" };
  return { request: new Request("https://streams.example", init), cancelled: cancelled.promise };
}

it.each([
  ["of unknown length", {}],
  ["that says that it is short", { "Content-Length": "10" }],
  ["that says that it is long", { "Content-Length": "100000" }],
  ["that is compressed", { "Content-Encoding": "gzip" }],
])("a body %s and never ends is given up after a time", async (_what, headers) => {
  const { request } = trickle(headers);
  expect(await readBody(request, LIMIT)).toMatchObject({ ok: false, problem: { code: "body-timeout" } });
});

it("a body that took too long is read no further", async () => {
  const { request, cancelled } = trickle();
  await readBody(request, LIMIT);
  await cancelled;
  expect(request.bodyUsed).toBe(true);
});

it("[AP13] all bodies together have a limit of bytes: one that would go beyond it is refused, and read no further", async () => {
  const bodies = new HeldBytes(1_500);
  const post = (headers: Record<string, string>, held: Held) => {
    const body = new ReadableStream({
      start: (controller) => {
        controller.enqueue(new Uint8Array(1_000));
        controller.close();
      },
    });
    const init = { method: "POST", body, headers, duplex: "half" };
    return readBody(new Request("https://streams.example", init), { bytesMax: 4_000, secondsMax: 5, held });
  };
  const first = bodies.open();
  expect(await post({}, first)).toMatchObject({ ok: true });
  for (const headers of [{}, { "Content-Length": "1000" }]) {
    const refused = { ok: false, problem: { code: "server-busy", headers: { "Retry-After": "1" } } };
    expect(await post(headers, bodies.open())).toMatchObject(refused);
  }
  first.release();
  first.release();
  expect(await post({}, bodies.open())).toMatchObject({ ok: true });
});

it("a body that is alone may be larger than all together: its own limit holds", async () => {
  const request = new Request("https://streams.example", { method: "POST", body: new Uint8Array(1_000) });
  const held = new HeldBytes(10).open();
  expect(await readBody(request, { bytesMax: 4_000, secondsMax: 5, held })).toMatchObject({ ok: true });
});

it("[AP9] what a body decodes to counts too", async () => {
  const bodies = new HeldBytes(1_000);
  const other = bodies.open();
  other.take(500);
  const init = {
    method: "POST",
    body: new Uint8Array(gzipSync(new Uint8Array(900))),
    headers: { "Content-Encoding": "gzip" },
  };
  const limit = { bytesMax: 4_000, secondsMax: 5, held: bodies.open() };
  const read = await readBody(new Request("https://streams.example", init), limit);
  expect(read).toMatchObject({ ok: false, problem: { code: "server-busy" } });
});

it("a JSON body has the same limit of time", async () => {
  const { request } = trickle();
  expect(await readJson(request, LIMIT)).toMatchObject({ ok: false, problem: { code: "body-timeout" } });
});

it("a compressed body may be larger than the limit only by what compressing adds to it", async () => {
  const noise = crypto.getRandomValues(new Uint8Array(LIMIT.bytesMax));
  const read = (body: Uint8Array<ArrayBuffer>) =>
    readBody(
      new Request("https://streams.example", { method: "POST", body, headers: { "Content-Encoding": "gzip" } }),
      LIMIT,
    );
  expect(await read(new Uint8Array(gzipSync(noise)))).toMatchObject({ ok: true, bytes: noise });
  const many = new Uint8Array(Buffer.concat(Array.from({ length: 200 }, () => gzipSync(""))));
  expect(await read(many)).toMatchObject({ ok: false, problem: { code: "body-too-large" } });
});
