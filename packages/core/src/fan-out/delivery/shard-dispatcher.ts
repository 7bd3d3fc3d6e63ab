/**
 * Handles one shard of a delivery pass that was sent through the queue: asks for the shard's links, fetches the page, and
 * delivers it to each session.
 */

import type { SessionApi, ShardApi, ShardFailure, ShardLink, ShardRef, SourceApi } from "../../contracts/fan-out.ts";
import { mapConcurrent } from "../../kit/map-concurrent.ts";
import type { SegmentStore } from "../../log/segment-store.ts";
import { deliverBatch, callsFor } from "./dispatcher.ts";
import { Pace } from "./pacer.ts";
import { Pages } from "./pages.ts";

/** Calls to one session: one, and another from where it is when that was somewhere else. */
const TRIES = 2;

/** What serving a shard needs. */
export interface ShardHost {
  /** Where cold segments are kept, if anywhere. */
  readonly segments: SegmentStore | undefined;
  followers(source: string): ShardApi;
  stream(name: string): SourceApi;
  session(name: string): SessionApi;
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves so much later, when others have had their turn; whether as little as possible is to begin then. */
  pause(ms?: number): Promise<boolean>;
}

/** @throws when the page or the links cannot be had now: the queue redelivers the shard. */
export async function serveShard(host: ShardHost, ref: ShardRef): Promise<void> {
  const { source, incarnation, from, to } = ref;
  const followers = host.followers(source);
  const result = await followers.shard(ref);
  if (result === null) return;
  const { contentType, upTo, links } = result;
  const pages = new Pages({ ...host, name: source, stream: (name) => host.stream(name) }, incarnation);
  const page = await pages.at(from, to);
  // The source has ended: its follower set learns of it, too.
  if (!page.ok) return;
  const pace = new Pace(host);
  const failures: ShardFailure[] = [];
  await mapConcurrent(links, callsFor(page.bytes.length), async (link) => {
    await pace.pass();
    const failure = await serveLink(host, pages, { ...link, source, contentType }, ref);
    if (failure !== undefined) failures.push(failure);
  });
  await followers.shardServed({ ...ref, upTo }, failures);
}

async function serveLink(
  host: ShardHost,
  pages: Pages,
  link: ShardLink & { readonly source: string; readonly contentType: string },
  { from, to }: ShardRef,
): Promise<ShardFailure | undefined> {
  const failure = { session: link.session, link: link.link, isOver: false };
  let position = Math.max(from, link.start);
  for (let tries = 0; position < to; tries += 1) {
    const batch = tries < TRIES ? await pages.at(position, to) : undefined;
    if (batch?.ok !== true || batch.to <= position) return failure;
    const outcome = await deliverBatch(host, link, batch);
    if (outcome.kind === "over") return { ...failure, isOver: true };
    if (outcome.kind === "failed") return failure;
    position = outcome.position;
  }
  return undefined;
}
