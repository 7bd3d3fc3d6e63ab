/** The object of a stream: composes the core's `Stream` with what a host supplies. */

import type { StreamApi } from "@durable-streams-cloudflare/core/contracts/stream";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { retryRpc } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import { wallMs } from "@durable-streams-cloudflare/core/kit/time/clock";
import { FOREGROUND } from "@durable-streams-cloudflare/core/kit/yield";
import { nextTurn } from "@durable-streams-cloudflare/core/kit/yield";
import { peerOf } from "@durable-streams-cloudflare/core/stream/forks/peer";
import { directoryOf } from "@durable-streams-cloudflare/core/stream/notify/directory-notices";
import { followerNotifierOf } from "@durable-streams-cloudflare/core/stream/notify/followers";
import { notifierOf } from "@durable-streams-cloudflare/core/stream/notify/wake-subscriptions";
import type { LiveReaders } from "@durable-streams-cloudflare/core/stream/read/live-readers";
import { readerSlotsOf } from "@durable-streams-cloudflare/core/stream/read/reader-slots";
import { Stream } from "@durable-streams-cloudflare/core/stream/stream";

import type { ObjectPeers, ObjectRuntime } from "./runtime.ts";

/** Creates the core object of a stream. */
export function createStream(runtime: ObjectRuntime, readers: LiveReaders, peers: ObjectPeers): Stream {
  const { name } = runtime;
  const { config } = peers;
  return new Stream(
    {
      database: runtime.database,
      readers,
      segments: peers.segments,
      report: (message, error) => logFault(config.logLevel, message, error),
      databaseBytes: () => runtime.databaseBytes(),
      sharedStorage: runtime.sharedStorage,
      now: wallMs,
      forwardNow: () => runtime.forwardNow?.() ?? wallMs(),
      nextTurn,
      sync: () => runtime.sync(),
      name,
      peer: (other) => peerOf(() => peers.streams.getByName(other)),
      pause: () => FOREGROUND.yieldToAppends(),
      notifyFollowers: followerNotifierOf(peers.followers, name),
      notifySubscription: notifierOf(peers.subscriptions),
      directory: directoryOf(peers.projects, name),
      requestReaderSlots: readerSlotsOf(peers.projects, name),
      newId: () => crypto.randomUUID(),
      random: () => Math.random(),
      purge: () => runtime.purge(),
      setAlarm: (atMs) => runtime.setAlarm(atMs),
      clearAlarm: () => runtime.clearAlarm(),
    },
    config,
  );
}

/** The methods that other objects and the edge may call. */
export function streamApi(stream: Stream): StreamApi {
  const { fanOut } = stream;
  return {
    // Made again from its beginning, with another fork id, when the answer of a fork's source was lost.
    create: (command) => retryRpc(() => stream.create(command)),
    append: (command) => stream.append(command),
    appendAll: (commands) => stream.appendAll(commands),
    head: async () => stream.head(),
    read: async (command) => stream.read(command),
    page: async (command) => stream.page(command),
    remove: (incarnation) => stream.remove(incarnation),
    discard: (isEmptied) => stream.discard(isEmptied),
    pin: (command) => stream.pin(command),
    release: (forkId) => stream.release(forkId),
    follow: (command) => fanOut.follow(command),
    unfollow: (token) => fanOut.unfollow(token),
    pull: (command) => fanOut.pull(command),
    openSession: (command) => fanOut.openSession(command),
    session: (renew) => fanOut.session(renew),
    endSession: (incarnation) => fanOut.endSession(incarnation),
    deliver: (command) => fanOut.deliver(command),
    want: (command) => stream.wakeSubscriptions.want(command),
  };
}
