import type { LinkFormat } from "@durable-streams-cloudflare/core/contracts/fan-out";
import { UNKNOWN_GRANT, type Grant } from "@durable-streams-cloudflare/core/contracts/grant";
import type { CreateCommand } from "@durable-streams-cloudflare/core/contracts/stream";
import { appendOf, createOf } from "@durable-streams-cloudflare/core/test/stream-fixture";
import type { OffsetRef } from "@durable-streams-cloudflare/protocol";

import { unwrap, type FanOutWorld } from "../worlds/fan-out-world.ts";

export const SESSION = "p/alice";
/** How long a session lasts. */
export const TTL_SECONDS = 100;
const NOW: OffsetRef = { kind: "now" };
export const START: OffsetRef = { kind: "start" };

interface SubscribeOptions {
  readonly format?: LinkFormat;
  readonly from?: OffsetRef;
  readonly session?: string;
  readonly grant?: Partial<Grant>;
  readonly froms?: Readonly<Record<string, OffsetRef>>;
}

/** What clients ask of a world. @param worldOf the world of the test that runs. */
export function clientsOf(worldOf: () => FanOutWorld) {
  return {
    /** Creates a stream of that name in the project. @returns its full name. */
    source: async (name: string, more: Partial<CreateCommand> = {}): Promise<string> => {
      unwrap(await worldOf().stream(`p/${name}`).create(createOf(more)));
      return `p/${name}`;
    },
    publish: async (name: string, text: string, contentType = "text/plain"): Promise<void> => {
      unwrap(await worldOf().stream(name).append(appendOf(text, { contentType })));
    },
    subscribe: (
      sources: readonly string[],
      { format = "raw", from = NOW, session = SESSION, grant, froms = {} }: SubscribeOptions = {},
    ) =>
      worldOf().askEstuary(session, (estuary) =>
        estuary.subscribe({
          sources,
          format,
          from,
          froms,
          ttlSeconds: TTL_SECONDS,
          ...(grant === undefined ? {} : { grant: { ...UNKNOWN_GRANT, ...grant } }),
        }),
      ),
    /** Lets a second pass, so that what is due has happened. */
    aSecond: (): Promise<void> => worldOf().fireAlarmsUntil(worldOf().nowMs + 1_000),
    /** What a session of envelopes holds. */
    envelopes: (session = SESSION): unknown => JSON.parse(`[${(worldOf().content(session) ?? "").slice(0, -1)}]`),
  };
}
