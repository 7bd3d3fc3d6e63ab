/** The Durable Object of a source's followers: a thin shell that brings the runtime's storage, clock and alarm. */

import type { Result } from "@durable-streams-cloudflare/protocol";
import { DurableObject } from "cloudflare:workers";

import { parseConfig } from "../config.ts";
import { callAgain } from "../rpc/call-again.ts";
import { detach } from "../rpc/detach.ts";
import type {
  LinkCommand,
  LinkFacts,
  SessionApi,
  SourceApi,
  SourceNews,
  SubscriptionApi,
  UnlinkCommand,
} from "../rpc/fan-out.ts";
import { objectDatabase } from "../storage/database.ts";
import { r2SegmentStore } from "../storage/segment-store.ts";
import { within } from "../storage/within.ts";
import { logFault } from "../telemetry/log.ts";
import { Subscription } from "./subscription.ts";

/** A session that has not answered by then is tried again later, so that it does not hold up the others. */
const DELIVER_MS_MAX = 15_000;

/** Any wait for the clock lets the event loop look at its sockets. */
const PAUSE_MS = 1;

export interface SubscriptionEnv {
  readonly SEGMENTS?: R2Bucket;
  readonly STREAMS: { getByName(name: string): SourceApi & SessionApi };
}

export class SubscriptionDO extends DurableObject<SubscriptionEnv> implements SubscriptionApi {
  readonly #subscription: Subscription;

  constructor(context: DurableObjectState, env: SubscriptionEnv) {
    super(context, env);
    const { storage, id } = context;
    if (id.name === undefined) throw new Error("A subscription's object must be got by its source's name.");
    const { logLevel } = parseConfig(env);
    this.#subscription = new Subscription({
      database: objectDatabase(storage),
      name: id.name,
      segments: env.SEGMENTS && r2SegmentStore(env.SEGMENTS),
      stream: (name) => sourceOf(() => env.STREAMS.getByName(name)),
      session: (name) => ({
        deliver: async (command) => detach(await within(DELIVER_MS_MAX, env.STREAMS.getByName(name).deliver(command))),
      }),
      now: () => Date.now(),
      pause: () => scheduler.wait(PAUSE_MS),
      sync: () => storage.sync(),
      purge: () => storage.deleteAll(),
      setAlarm: (atMs) => void storage.setAlarm(atMs),
      report: (message, error) => logFault(logLevel, message, error),
    });
  }

  link(command: LinkCommand): Promise<Result<LinkFacts>> {
    return this.#subscription.link(command);
  }

  unlink(command: UnlinkCommand): Promise<Result<object>> {
    return this.#subscription.unlink(command);
  }

  async notify(news: SourceNews | null): Promise<number | null> {
    return this.#subscription.notify(news);
  }

  override alarm(): Promise<void> {
    return this.#subscription.alarm();
  }
}

/** Each try gets a new stub: one that failed is of no more use. */
function sourceOf(stubOf: () => SourceApi): SourceApi {
  return {
    follow: async (command) => detach(await callAgain(() => stubOf().follow(command))),
    unfollow: (token) => stubOf().unfollow(token),
    pull: async (command) => detach(await callAgain(() => stubOf().pull(command))),
  };
}
