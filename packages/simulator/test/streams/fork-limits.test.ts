import type { PinCommand } from "@durable-streams-cloudflare/core/contracts/stream";
import { HotLog } from "@durable-streams-cloudflare/core/log/hot-log";
import { planPin } from "@durable-streams-cloudflare/core/stream/forks/forks";
import { newState } from "@durable-streams-cloudflare/core/stream/state";
import { appendOf, codeOf, createOf, newHost } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { KEEP_ALL } from "@durable-streams-cloudflare/protocol";
import { utf8 } from "@durable-streams-cloudflare/testkit";
import { describe, expect, it } from "vitest";

import { StreamWorld } from "../../src/worlds/stream-world.ts";

describe("a fork's ancestors", () => {
  const pin: PinCommand = { offset: null, subOffset: 0, forkId: "i", forkName: "n", contentType: null, untilMs: 9 };

  /** A stream at the end of a chain, with bytes of its own or without. */
  function streamWith(ancestors: number, ownBytes: number) {
    const lineage = Array.from({ length: ancestors }, (_, index) => ({
      name: `p/${index}`,
      incarnation: index + 1,
      to: index + 1,
    }));
    const origin = {
      forkId: "f",
      source: `p/${ancestors - 1}`,
      offset: null,
      subOffset: 0,
      inheritsLifetime: true,
      ancestors: lineage,
    };
    const lifetime = { kind: "forever" } as const;
    const log = new HotLog(newHost().database);
    const result = { incarnation: 1_000, contentType: "text/plain", lifetime, retention: KEEP_ALL, earliest: 0 };
    const state = newState({ ...result, touchedAtMs: 0, origin }, log);
    state.tail += ownBytes;
    return state;
  }

  it.each([
    { ancestors: 255, ownBytes: 1, code: "ok" },
    { ancestors: 256, ownBytes: 0, code: "ok" },
    { ancestors: 256, ownBytes: 1, code: "fork-too-deep" },
  ])("[FK18] are at most 256 streams that bytes lie in: $ancestors, and $ownBytes own bytes: $code", async (row) => {
    const state = streamWith(row.ancestors, row.ownBytes);
    expect(codeOf(await planPin(state, newHost(), pin, () => true))).toBe(row.code);
  });
});

describe("a sub-offset of JSON messages", () => {
  it("reaches at most 32 MiB past its offset, and refusing it leaves nothing", async () => {
    const world = new StreamWorld();
    const json = { contentType: "application/json" };
    const message = `"${"x".repeat(1024 * 1024)}",`;
    const bytes = utf8(message.repeat(34));
    await world.ask("p/source", (stream) => stream.create(createOf({ ...json, bytes })));
    const forkAt = (subOffset: number) => {
      const fork = { source: "p/source", offset: { kind: "start" } as const, subOffset };
      return world.ask("p/fork", (stream) => stream.create(createOf({ ...json, fork })));
    };
    const refused = await forkAt(34);
    expect(codeOf(refused)).toBe("fork-sub-offset-invalid");
    expect(refused).toMatchObject({ problem: { detail: expect.stringContaining("at most 33554432 bytes") } });
    expect(world.leftovers("p/fork")).toEqual([]);
    expect(await forkAt(31)).toMatchObject({ ok: true, tail: 31 * message.length });
  });
});

it("[AP18] a fork may store as much as any other stream, besides what it inherits", async () => {
  const world = new StreamWorld({ streamBytesMax: 10 });
  await world.ask("p/source", (stream) => stream.create(createOf({ bytes: utf8("1234567890") })));
  const fork = { source: "p/source", offset: null, subOffset: 0 };
  const large = await world.ask("p/fork", (stream) => stream.create(createOf({ fork, bytes: utf8("12345678901") })));
  expect(codeOf(large)).toBe("body-too-large");
  await world.ask("p/fork", (stream) => stream.create(createOf({ fork, bytes: utf8("12345") })));
  const append = (text: string) => world.ask("p/fork", (stream) => stream.append(appendOf(text)));
  expect([codeOf(await append("678901")), codeOf(await append("67890")), codeOf(await append("1"))]).toEqual([
    "stream-full",
    "ok",
    "stream-full",
  ]);
});
