import { codeOf, createOf } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { offsetAt, parseOffset } from "@durable-streams-cloudflare/protocol";
import { utf8 } from "@durable-streams-cloudflare/testkit";
import { describe, expect, it } from "vitest";

import { StreamWorld } from "../../src/worlds/stream-world.ts";

describe("two streams that are made in the same instant", () => {
  it("[OF12] have different incarnations: an old offset of one that becomes a fork of the other is gone", async () => {
    const world = new StreamWorld();
    const create = createOf({ bytes: utf8("12345") });
    await world.ask("p/source", (stream) => stream.create(create));
    const old = await world.ask("p/fork", (stream) => stream.create(create));
    if (!old.ok) throw new Error(old.problem.code);
    await world.ask("p/fork", (stream) => stream.remove());
    const fork = { source: "p/source", offset: null, subOffset: 0 };
    expect(codeOf(await world.ask("p/fork", (stream) => stream.create(createOf({ fork }))))).toBe("ok");
    const from = parseOffset(offsetAt(old.lineage, old.tail)) ?? { kind: "now" };
    const read = world.stream("p/fork").read({ from, ifNoneMatch: null, paging: "bytes" });
    expect(codeOf(read)).toBe("offset-gone");
  });
});
