/** Makes the hubs, which read what they miss once for all their readers. */

import type { Config } from "@durable-streams-cloudflare/core/config";

import type { Exchange } from "../exchange.ts";
import { CatchUp } from "./catch-up.ts";
import type { HubClock } from "./hub-member.ts";
import { LiveHubs } from "./live-hubs.ts";
import type { LiveReads } from "./live-reads.ts";
import { RECENT_BYTES_MAX } from "./recent-frames.ts";
import type { StreamHub } from "./stream-hub.ts";

/** Makes the hubs of one isolate. */
export function createHubs(
  { sharedLive, readersMax }: Pick<Config, "sharedLive" | "readersMax">,
  liveReads: LiveReads,
  clockOf?: (exchange: Exchange) => HubClock,
): LiveHubs<Exchange> {
  const ports = { isSharing: sharedLive === "on", readersMax, liveReads, fillGap };
  return new LiveHubs(clockOf === undefined ? ports : { ...ports, clockOf });
}

/**
 * Adds the frames from a hub's tail up to a position. Gives up when they are more than a hub keeps, when an append is larger
 * than a page, and when it cannot be read: then each reader reads for itself, and learns what is wrong.
 */
async function fillGap(exchange: Exchange, hub: StreamHub, upTo: number): Promise<void> {
  if (upTo <= hub.tail || upTo - hub.tail > RECENT_BYTES_MAX) return;
  const pages = new CatchUp(exchange, hub.about, undefined);
  let position = hub.tail;
  try {
    // By another channel, what is missing may come meanwhile.
    while (position < upTo && hub.tail < upTo && hub.end === undefined) {
      const page = await pages.next(position);
      if (!page.ok || !page.isEnd || page.bytes.length === 0) return;
      const to = position + page.bytes.length;
      hub.add({ from: position, to, closed: page.closed && to === page.tail, bytes: page.bytes });
      position = to;
    }
  } finally {
    pages.cancel();
  }
}
