import type { Result } from "@durable-streams-cloudflare/protocol";
import { concatBytes, textOf } from "@durable-streams-cloudflare/testkit";
import type { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";

import { Estuary } from "../../src/estuary/estuary.ts";
import type { SubscriptionApi } from "../../src/rpc/fan-out.ts";
import type { StreamHost } from "../../src/stream/host.ts";
import { Stream, type StreamLimits } from "../../src/stream/stream.ts";
import { Subscription } from "../../src/subscription/subscription.ts";
import { LIMITS } from "./stream-fixture.ts";
import { World, type Doer, type OwnPorts } from "./world.ts";

/** One object: what it is, and of what name. */
type Key = `${"stream" | "subscription" | "estuary"}:${string}`;

type Core = Stream | Subscription | Estuary;

/** Streams, subscriptions and estuaries in one process. */
export class FanOutWorld extends World<Core, Key> {
  readonly #limits: StreamLimits;

  constructor({ segments, ...limits }: Partial<StreamLimits> & { readonly segments?: FakeSegmentStore } = {}) {
    super(segments);
    this.#limits = { ...LIMITS, ...limits };
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
    const facts = this.stream(name).head();
    if (!facts.ok) return undefined;
    const { lineage, tail } = facts;
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for (let from = 0; from < tail; from += pieces.at(-1)?.length ?? 0) {
      const page = this.stream(name).page({ incarnation: lineage.incarnation, from, to: tail, paging: "bytes" });
      if (!page.ok || page.page.length === 0) throw new Error(`${name} has a hole at ${from}.`);
      pieces.push(page.page);
    }
    return textOf(concatBytes(pieces));
  }

  protected override boot(key: Key, own: OwnPorts, doer: Doer): Core {
    const wire = <Api extends object>(to: Key): Api => this.#wire<Api>(doer, to);
    const { name } = own;
    if (key.startsWith("subscription:")) {
      return new Subscription({
        ...own,
        stream: (to) => wire(`stream:${to}`),
        session: (to) => wire(`stream:${to}`),
        pause: () => Promise.resolve(),
      });
    }
    if (key.startsWith("estuary:")) {
      return new Estuary({
        ...own,
        stream: wire(`stream:${name}`),
        source: (to) => wire(`stream:${to}`),
        subscription: (to) => wire(`subscription:${to}`),
      });
    }
    const notifyFollowers: StreamHost["notifyFollowers"] = (news) =>
      wire<Pick<SubscriptionApi, "notify">>(`subscription:${name}`).notify(news);
    return new Stream({ ...own, peer: (to) => wire(`stream:${to}`), notifyFollowers }, this.#limits);
  }

  /** Another object, as one object sees it. */
  #wire<Api extends object>(from: Doer, to: Key): Api {
    return new Proxy({} as Api, {
      get: (_, method) => (command: unknown) => this.call(from, to, String(method), methodOf(String(method), command)),
    });
  }
}

/** Invokes a method of an object, or of a stream's part for the fan-out, with a copy of the command. */
function methodOf(method: string, command: unknown): (core: Core) => unknown {
  const message = structuredClone(command);
  return (core) => {
    const owner = core instanceof Stream && method in core.fanOut ? core.fanOut : core;
    return (owner as unknown as Record<string, (command: unknown) => unknown>)[method]?.(message);
  };
}

/** The facts of a result that must be good. */
export function factsOf<Facts>(result: Result<Facts>): { readonly ok: true } & Facts {
  if (!result.ok) throw new Error(`refused: ${result.problem.code}, ${result.problem.detail}`);
  return result;
}
