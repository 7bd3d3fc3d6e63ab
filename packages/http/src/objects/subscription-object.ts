/** The object of a subscription of the protocol [PROTOCOL §6]: composes the core's subscription with what a host supplies. */

import type { WakeSubscriptionApi, SubscriptionDirectoryApi } from "@durable-streams-cloudflare/core/contracts/wakes";
import { controlPathOf } from "@durable-streams-cloudflare/core/kit/control-path";
import { detach } from "@durable-streams-cloudflare/core/kit/detach";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { wallMs } from "@durable-streams-cloudflare/core/kit/time/clock";
import { withTimeout } from "@durable-streams-cloudflare/core/kit/with-timeout";
import { WakeSubscription } from "@durable-streams-cloudflare/core/wakes/wake-subscription";
import { base64url } from "jose";

import { sendWebhook } from "../outbound/webhook.ts";
import type { ObjectPeers, ObjectRuntime } from "./runtime.ts";

/** A stream that has not answered by then is asked again later. */
const CALL_MS_MAX = 15_000;

/**
 * Creates a subscription of the protocol.
 * @throws Error if the server has no projects.
 */
export function createSubscription(
  runtime: ObjectRuntime,
  { config, streams, projects, send }: ObjectPeers,
): WakeSubscription {
  const { name } = runtime;
  if (projects === undefined) throw new Error("Where there are subscriptions, there must be projects.");
  const project = name.slice(0, name.indexOf("/"));
  const directory = (): SubscriptionDirectoryApi => projects.getByName(project);
  const call = async <Answer extends object>(answer: Promise<Answer>): Promise<Answer> =>
    detach(await withTimeout(CALL_MS_MAX, answer));
  return new WakeSubscription({
    database: runtime.database,
    name,
    stream: (stream) => ({
      want: (command) => call(streams.getByName(stream).want(command)),
      append: (command) => call(streams.getByName(stream).append(command)),
    }),
    directory: {
      registerConsumer: (consumer, interest) => call(directory().registerConsumer(consumer, interest)),
      forgetStreams: (...named) => withTimeout(CALL_MS_MAX, directory().forgetStreams(...named)),
      forgetConsumer: (...named) => withTimeout(CALL_MS_MAX, directory().forgetConsumer(...named)),
      matchStreams: (pattern, after) => call(directory().matchStreams(pattern, after)),
      signingKey: () => call(directory().signingKey()),
      grantDeliveries: (host, wanted) => call(directory().grantDeliveries(host, wanted)),
    },
    send: (request) =>
      runtime.leave(() =>
        sendWebhook(
          request,
          {
            timeoutMs: config.webhookTimeoutSeconds * 1000,
            allowsLoopback: config.webhookLoopback === "allow",
          },
          send,
        ),
      ),
    publicControlUrl: config.publicUrl === "" ? null : config.publicUrl + controlPathOf(project, config),
    allowsLoopback: config.webhookLoopback === "allow",
    newId: () => crypto.randomUUID(),
    newSecret: () => base64url.encode(crypto.getRandomValues(new Uint8Array(32))),
    random: () => Math.random(),
    now: wallMs,
    sync: () => runtime.sync(),
    setAlarm: (atMs) => runtime.setAlarm(atMs),
    clearAlarm: () => runtime.clearAlarm(),
    report: (message, error) => logFault(config.logLevel, message, error),
  });
}

/** The methods that streams, projects and the edge may call. */
export function subscriptionApi(subscription: WakeSubscription): WakeSubscriptionApi {
  return {
    create: (command) => subscription.create(command),
    describe: () => subscription.describe(),
    deliveries: () => subscription.deliveries(),
    addStreams: (streams) => subscription.addStreams(streams),
    removeStream: (stream) => subscription.removeStream(stream),
    remove: () => subscription.remove(),
    claim: (worker) => subscription.claim(worker),
    ack: (command) => subscription.ack(command),
    release: (command) => subscription.release(command),
    notify: (notification) => subscription.notify(notification),
    discover: (change) => subscription.discover(change),
  };
}
