import type { LinkKeyNote, ShardRef, FollowerSetApi } from "@durable-streams-cloudflare/core/contracts/fan-out";
import { serveShard, type ShardHost } from "@durable-streams-cloudflare/core/fan-out/delivery/shard-dispatcher";
import type { ShardLimits } from "@durable-streams-cloudflare/core/fan-out/delivery/shards";
import { Estuary } from "@durable-streams-cloudflare/core/fan-out/session/estuary";
import { ESTUARY_SCHEMA } from "@durable-streams-cloudflare/core/fan-out/session/estuary-rows";
import { FollowerSet } from "@durable-streams-cloudflare/core/fan-out/source/follower-set";
import type { FollowerSetHost } from "@durable-streams-cloudflare/core/fan-out/source/host";
import { LINK_SCHEMA } from "@durable-streams-cloudflare/core/fan-out/source/tables";
import type { Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import type { StreamHost } from "@durable-streams-cloudflare/core/stream/host";
import { Stream, type StreamLimits } from "@durable-streams-cloudflare/core/stream/stream";
import { STREAM_SCHEMA } from "@durable-streams-cloudflare/core/stream/tables/schema";
import { LIMITS } from "@durable-streams-cloudflare/core/test/stream-fixture";
import type { Result } from "@durable-streams-cloudflare/protocol";
import { concatBytes, textOf } from "@durable-streams-cloudflare/testkit";
import type { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";

import { ignoreLost, World, type Doer, type OwnPorts } from "./world.ts";

/** One object: what it is, and of what name. */
type Key = `${"stream" | "followers" | "estuary"}:${string}`;

type Core = Stream | FollowerSet | Estuary;

const NO_SHARDS: ShardLimits = { shardedAbove: Infinity, shardSessions: 1 };

type FanOutOptions = Partial<StreamLimits> & { readonly segments?: FakeSegmentStore; readonly shards?: ShardLimits };

/** Streams, follower sets and estuaries in one process. */
export class FanOutWorld extends World<Core, Key> {
  /** Of streams that are loaded from now on. */
  limits: StreamLimits;
  readonly #shards: ShardLimits | undefined;
  /** Set it, and the queue takes nothing. */
  isQueueDown = false;
  /** Keys whose links were ended, as the project knows it, and what it was asked to remember. */
  readonly endedKeys = new Set<string>();
  readonly notedKeys: string[] = [];
  /** What happens while the project notes a key. */
  onNoteKey: () => Promise<unknown> = async () => undefined;
  /** Messages that the queue has taken and not yet brought. */
  readonly queue: ShardRef[] = [];

  /** @param options `shards`: there is a queue, and it takes rounds above these limits. */
  constructor({ segments, shards, ...limits }: FanOutOptions = {}) {
    super(segments);
    this.#shards = shards;
    this.limits = { ...LIMITS, ...limits };
  }

  stream(name: string): Stream {
    return this.core(`stream:${name}`) as Stream;
  }

  /** Calls from outside; a crash of the object is an error, as over RPC. */
  askStream<Answer>(name: string, invoke: (stream: Stream) => Promise<Answer> | Answer): Promise<Answer> {
    return this.ask(`stream:${name}`, invoke as (core: Core) => Promise<Answer> | Answer);
  }

  askEstuary<Answer>(name: string, invoke: (estuary: Estuary) => Promise<Answer>): Promise<Answer> {
    return this.ask(`estuary:${name}`, invoke as (core: Core) => Promise<Answer>);
  }

  /** All that a stream has. */
  content(name: string): string | undefined {
    const result = this.stream(name).head();
    if (!result.ok) return undefined;
    const { lineage, tail } = result;
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for (let from = 0; from < tail; from += chunks.at(-1)?.length ?? 0) {
      const page = this.stream(name).page({ incarnation: lineage.incarnation, from, to: tail, paging: "bytes" });
      const bytes = page.ok ? this.bytesOf(page) : new Uint8Array();
      if (bytes.length === 0) throw new Error(`${name} has a hole at ${from}.`);
      chunks.push(bytes);
    }
    return textOf(concatBytes(chunks));
  }

  /** The queue brings one of its messages to a Worker; as often as it takes. */
  async deliverShard(index: number): Promise<void> {
    const [ref] = this.queue.splice(index % Math.max(1, this.queue.length), 1);
    if (ref === undefined) return;
    const worker = { isOver: false };
    const stream = <Api extends object>(name: string): Api => this.#wire<Api>(worker, `stream:${name}`);
    const host: ShardHost = {
      segments: this.segments,
      followers: (source) => this.#wire(worker, `followers:${source}`),
      stream,
      session: stream,
      now: () => this.nowMs,
      pause: () => Promise.resolve(false),
    };
    await serveShard(host, ref).catch((error: unknown) => {
      ignoreLost(error);
      this.queue.push(ref);
    });
  }

  protected override schemaOf(key: Key): Schema {
    if (key.startsWith("followers:")) return LINK_SCHEMA;
    return key.startsWith("estuary:") ? ESTUARY_SCHEMA : STREAM_SCHEMA;
  }

  protected override boot(key: Key, own: OwnPorts, doer: Doer): Core {
    const wire = <Api extends object>(to: Key): Api => this.#wire<Api>(doer, to);
    const { name } = own;
    if (key.startsWith("followers:")) {
      const host: FollowerSetHost = {
        ...own,
        stream: (to) => wire(`stream:${to}`),
        session: (to) => wire(`stream:${to}`),
        owner: (to) => wire(`estuary:${to}`),
        keys: {
          noteLinkKey: async (note) => {
            await this.onNoteKey();
            return this.#noteKey(note);
          },
          forgetLinkKeys: async (source, token) => {
            this.notedKeys.push(`forget ${source} ${token}`);
          },
        },
        shards: this.#shards && { send: (refs) => this.#enqueue(refs) },
        pause: () => Promise.resolve(false),
      };
      return new FollowerSet(host, this.#shards ?? NO_SHARDS);
    }
    if (key.startsWith("estuary:")) {
      return new Estuary({
        ...own,
        stream: wire(`stream:${name}`),
        source: (to) => wire(`stream:${to}`),
        followers: (to) => wire(`followers:${to}`),
      });
    }
    const notifyFollowers: StreamHost["notifyFollowers"] = (notification) =>
      wire<Pick<FollowerSetApi, "notify">>(`followers:${name}`).notify(notification);
    return new Stream({ ...own, peer: (to) => wire(`stream:${to}`), notifyFollowers }, this.limits);
  }

  #noteKey({ kid, source }: LinkKeyNote): boolean {
    this.notedKeys.push(`${kid} ${source}`);
    return !this.endedKeys.has(kid);
  }

  async #enqueue(refs: readonly ShardRef[]): Promise<void> {
    await this.passed("send");
    if (this.isQueueDown) throw new Error("The queue is down.");
    this.queue.push(...refs);
  }

  /** Another object, as one object sees it. */
  #wire<Api extends object>(from: Doer, to: Key): Api {
    return new Proxy({} as Api, {
      get:
        (_, method) =>
        (...command: unknown[]) =>
          this.call(from, to, String(method), methodOf(String(method), command)),
    });
  }
}

/** Invokes a method of an object, or of a stream's part for the fan-out, with a copy of the command. */
function methodOf(method: string, command: readonly unknown[]): (core: Core) => unknown {
  const message = structuredClone(command);
  return (core) => {
    const owner = core instanceof Stream && method in core.fanOut ? core.fanOut : core;
    return (owner as unknown as Record<string, (...command: unknown[]) => unknown>)[method]?.(...message);
  };
}

/** The facts of a result that must be good. */
export function unwrap<Value>(result: Result<Value>): { readonly ok: true } & Value {
  if (!result.ok) throw new Error(`refused: ${result.problem.code}, ${result.problem.detail}`);
  return result;
}
