/** How delivery calls other objects: their stubs, with retries and timeouts. */

import type { LinkKeysApi, LinkOwnerApi, SessionApi, ShardApi, SourceApi } from "../../contracts/fan-out.ts";
import { detach } from "../../kit/detach.ts";
import { retryRpc } from "../../kit/retry-rpc.ts";
import { withTimeout } from "../../kit/with-timeout.ts";

/** A session that has not answered by then is tried again later, so that it does not hold up the others. */
const DELIVER_MS_MAX = 15_000;

/** Each try gets a new stub: one that failed is of no more use. */
export function sourceOf(stubOf: () => SourceApi): SourceApi {
  return {
    follow: async (command) => detach(await retryRpc(() => stubOf().follow(command))),
    unfollow: (token) => stubOf().unfollow(token),
    pull: async (command) => detach(await retryRpc(() => stubOf().pull(command))),
  };
}

export function sessionOf(stubOf: () => SessionApi): SessionApi {
  return { deliver: async (command) => detach(await withTimeout(DELIVER_MS_MAX, stubOf().deliver(command))) };
}

export function ownerOf(stubOf: () => LinkOwnerApi): LinkOwnerApi {
  return { linkEnded: (source, link) => withTimeout(DELIVER_MS_MAX, stubOf().linkEnded(source, link)) };
}

/** @param source its full name. */
export function keysOf(
  projects: { getByName(project: string): LinkKeysApi } | undefined,
  source: string,
): LinkKeysApi | undefined {
  if (projects === undefined) return undefined;
  const project = source.slice(0, source.indexOf("/"));
  return {
    noteLinkKey: (note) => withTimeout(DELIVER_MS_MAX, projects.getByName(project).noteLinkKey(note)),
    forgetLinkKeys: (name, token) =>
      withTimeout(DELIVER_MS_MAX, projects.getByName(project).forgetLinkKeys(name, token)),
  };
}

export function followersOf(stubOf: () => ShardApi): ShardApi {
  return {
    shard: async (ref) => {
      const result = await stubOf().shard(ref);
      return result === null ? null : detach(result);
    },
    shardServed: (ref, failures) => stubOf().shardServed(ref, failures),
  };
}
