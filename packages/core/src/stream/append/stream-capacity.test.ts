import { keepsAll } from "@durable-streams-cloudflare/protocol";
import { utf8 } from "@durable-streams-cloudflare/testkit";
import { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";
import { expect, it } from "vitest";

import { appendOf, codeOf, contentOf, createOf, newHost, streamOn } from "../../../test/stream-fixture.ts";

const TEN = { streamBytesMax: 10 };

it("[AP18] an append that would exceed the limit changes nothing, in a batch either; smaller ones and closing go on", async () => {
  const stream = streamOn(newHost(), TEN);
  await stream.create(createOf({ bytes: utf8("123") }));
  const batch = ["4567", "89012", "89", "0"].map((text) => appendOf(text));
  expect((await stream.appendAll(batch)).map(codeOf)).toEqual(["ok", "stream-full", "ok", "ok"]);
  const closing = await stream.append(appendOf("x", { close: true }));
  expect(closing).toMatchObject({ ok: false, problem: { code: "stream-full", headers: { "Retry-After": "60" } } });
  expect([stream.head(), contentOf(stream)]).toEqual([
    expect.objectContaining({ closed: false, tail: 10 }),
    "1234567890",
  ]);
  expect(codeOf(await stream.append(appendOf("", { close: true })))).toBe("ok");
  expect(codeOf(await stream.append(appendOf("x")))).toBe("stream-closed");
});

it("[AP18] what came before the limit is known, and faults of the request are reported first", async () => {
  const producer = { id: "p", epoch: 0, seq: 0 };
  const host = newHost();
  const before = streamOn(host);
  await before.create(createOf());
  await before.append(appendOf("12345678901234567890", { producer }));
  const stream = streamOn(host, TEN);
  expect(await stream.append(appendOf("12345678901234567890", { producer }))).toMatchObject({ outcome: "duplicate" });
  expect(codeOf(await stream.append(appendOf("{}", { contentType: "application/json" })))).toBe(
    "content-type-mismatch",
  );
  const next = { ...producer, seq: 1 };
  expect(codeOf(await stream.append(appendOf("x", { producer: next })))).toBe("stream-full");
  expect(codeOf(await stream.append(appendOf("", { close: true })))).toBe("ok");
  expect(contentOf(stream)).toHaveLength(20);
});

it("[AP18] a body that is larger than the limit by itself is 413, when it is appended and when it creates", async () => {
  const stream = streamOn(newHost(), TEN);
  const large = utf8("12345678901");
  const refused = { ok: false, problem: { code: "body-too-large", hint: expect.stringContaining("STREAM_BYTES_MAX") } };
  expect(await stream.create(createOf({ bytes: large }))).toMatchObject(refused);
  expect(codeOf(stream.head())).toBe("stream-not-found");
  await stream.create(createOf());
  expect(await stream.append(appendOf("12345678901"))).toMatchObject(refused);
  // One that is there already is confirmed, whatever comes with the request.
  expect(await stream.create(createOf({ bytes: large }))).toMatchObject({ ok: true, created: false });
});

it("[AP18] without the setting there is no limit", async () => {
  const stream = streamOn(newHost(), { streamBytesMax: 0 });
  await stream.create(createOf());
  expect(codeOf(await stream.append(appendOf("x".repeat(100_000))))).toBe("ok");
});

it("[AP18] [RT2] what retention deletes makes room again", async () => {
  const host = newHost();
  host.segments = new FakeSegmentStore();
  const stream = streamOn(host, { streamBytesMax: 30, segmentBytes: 10, segmentBytesMin: 1 });
  const retention = { seconds: undefined, bytes: 10 };
  expect(keepsAll(retention)).toBe(false);
  await stream.create(createOf({ retention }));
  const codes: string[] = [];
  for (let count = 0; count < 6; count += 1) {
    codes.push(codeOf(await stream.append(appendOf("1234567890"))));
    host.nowMs += 60_000;
    await stream.alarm();
  }
  expect(codes).toEqual(Array.from({ length: 6 }, () => "ok"));
  const full = streamOn(newHost(), { streamBytesMax: 30 });
  await full.create(createOf());
  for (let count = 0; count < 3; count += 1) await full.append(appendOf("1234567890"));
  expect(codeOf(await full.append(appendOf("1")))).toBe("stream-full");
});
