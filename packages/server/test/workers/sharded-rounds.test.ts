import { mapConcurrent } from "@durable-streams-cloudflare/core/kit/map-concurrent";
/** One publish to more sessions than the object serves by itself, in workerd: through the queue. */
import { KEEP_ALL } from "@durable-streams-cloudflare/protocol";
import { utf8 } from "@durable-streams-cloudflare/testkit";
import { abortAllDurableObjects } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";

import { SubscriptionDO } from "../../src/worker.ts";

/** More than fit into one shard. */
const SESSIONS = 140;
const TYPE = "text/plain";
const NOTHING = new Uint8Array();

afterEach(() => {
  vi.restoreAllMocks();
});

/** A source that many sessions follow, made without the requests that clients make for that. */
class FollowedSource {
  readonly name = `p/source-${crypto.randomUUID()}`;
  readonly sessions = Array.from({ length: SESSIONS }, (_, index) => `${this.name}-session-${index}`);

  async begin(): Promise<void> {
    const lifetime = { kind: "forever" } as const;
    const create = { contentType: TYPE, lifetime, retention: KEEP_ALL, closed: false, bytes: NOTHING };
    unwrap(await env.STREAMS.getByName(this.name).create(create));
    await mapConcurrent(this.sessions, 32, async (session) => {
      const stream = env.STREAMS.getByName(session);
      const opened = unwrap(await stream.openSession({ contentType: TYPE, ttlSeconds: 1_000 }));
      const linked = await env.SUBSCRIPTIONS.getByName(this.name).link({
        session,
        sessionIncarnation: opened.incarnation,
        sessionContentType: TYPE,
        link: 2,
        format: "raw",
        from: { kind: "now" },
        untilMs: Date.now() + 30_000,
      });
      unwrap(linked);
    });
  }

  async publish(text: string): Promise<void> {
    const bytes = utf8(text);
    unwrap(await env.STREAMS.getByName(this.name).append({ bytes, contentType: TYPE, close: false }));
  }

  /** What sessions hold that is not all of it. */
  async strangers(text: string): Promise<string[]> {
    const found: string[] = [];
    await mapConcurrent(this.sessions, 32, async (session) => {
      const read = await env.STREAMS.getByName(session).read({
        from: { kind: "start" },
        ifNoneMatch: null,
        paging: "bytes",
      });
      const held = read.ok ? new TextDecoder().decode(read.page) : read.problem.code;
      if (held !== text) found.push(held);
    });
    return found;
  }
}

function unwrap<Answer extends { readonly ok: boolean }>(answer: Answer): Extract<Answer, { readonly ok: true }> {
  if (!answer.ok) throw new Error(`refused: ${JSON.stringify(answer)}`);
  return answer as Extract<Answer, { readonly ok: true }>;
}

function allHave(source: FollowedSource, text: string): Promise<void> {
  const waiting = { timeout: 50_000, interval: 1_000 };
  return vi.waitFor(async () => expect(await source.strangers(text)).toHaveLength(0), waiting);
}

it("[FO5] [IN14] a delivery to very many goes in shards through the queue, to each once, even when every object dies meanwhile", async () => {
  const served = vi.spyOn(SubscriptionDO.prototype, "shardServed");
  const source = new FollowedSource();
  await source.begin();
  await source.publish("one ");
  await allHave(source, "one ");
  expect(served.mock.calls.length).toBe(2);
  await source.publish("two ");
  await abortAllDurableObjects();
  await source.publish("three");
  await allHave(source, "one two three");
});
