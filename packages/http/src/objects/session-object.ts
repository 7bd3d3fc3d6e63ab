/** The object of a session: composes the core's estuary (the list of sources) with what a host supplies. */

import type { EstuaryApi, LinkOwnerApi } from "@durable-streams-cloudflare/core/contracts/fan-out";
import { Estuary } from "@durable-streams-cloudflare/core/fan-out/session/estuary";
import { detach } from "@durable-streams-cloudflare/core/kit/detach";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { callOnce, retryRpc } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import { wallMs } from "@durable-streams-cloudflare/core/kit/time/clock";

import type { ObjectPeers, ObjectRuntime } from "./runtime.ts";

/**
 * Creates the estuary of a session.
 * @throws Error if the server has no follower sets.
 */
export function createSession(runtime: ObjectRuntime, { config, streams, followers }: ObjectPeers): Estuary {
  const { name } = runtime;
  if (followers === undefined) throw new Error("Where there are sessions, sources must have followers.");
  return new Estuary({
    database: runtime.database,
    name,
    // Each of these is idempotent. Linking is not: the session must know of each call that may still arrive.
    stream: {
      openSession: async (command) => detach(await callOnce(() => streams.getByName(name).openSession(command))),
      session: async (renew) => detach(await retryRpc(() => streams.getByName(name).session(renew))),
      endSession: async (incarnation) => detach(await retryRpc(() => streams.getByName(name).endSession(incarnation))),
    },
    source: (source) => ({ head: async () => detach(await retryRpc(() => streams.getByName(source).head())) }),
    followers: (source) => ({
      link: async (command) => detach(await followers.getByName(source).link(command)),
      unlink: async (command) => detach(await followers.getByName(source).unlink(command)),
    }),
    now: wallMs,
    sync: () => runtime.sync(),
    purge: () => runtime.purge(),
    setAlarm: (atMs) => runtime.setAlarm(atMs),
    clearAlarm: () => runtime.clearAlarm(),
    report: (message, error) => logFault(config.logLevel, message, error),
  });
}

/** The methods that other objects and the edge may call. */
export function sessionApi(session: Estuary): EstuaryApi & LinkOwnerApi {
  return {
    subscribe: (command) => session.subscribe(command),
    join: (command) => session.subscribe(command),
    unsubscribe: (sources) => session.unsubscribe(sources),
    describe: () => session.describe(),
    touch: () => session.touch(),
    remove: () => session.remove(),
    linkEnded: (source, link) => session.linkEnded(source, link),
  };
}
