/** The Durable Object of one stream: a thin shell that supplies the runtime's storage, clock, sockets and alarm. */

import { parseConfig } from "@durable-streams-cloudflare/core/config";
import type {
  DeliverCommand,
  DeliverResult,
  FollowCommand,
  FollowResult,
  OpenSessionCommand,
  PullCommand,
  PullResult,
  SessionResult,
  SubscriptionApi,
} from "@durable-streams-cloudflare/core/contracts/fan-out";
import type {
  AppendCommand,
  AppendResult,
  CreateCommand,
  CreateResult,
  HeadResult,
  PageCommand,
  PageResult,
  PinCommand,
  PinResult,
  ReadCommand,
  ReadResult,
  StreamApi,
} from "@durable-streams-cloudflare/core/contracts/stream";
import type { ConsumerNotifyApi, WantCommand, WantResult } from "@durable-streams-cloudflare/core/contracts/wakes";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { objectName } from "@durable-streams-cloudflare/core/kit/object-name";
import { retryRpc } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import { FOREGROUND } from "@durable-streams-cloudflare/core/kit/yield";
import { nextTurn } from "@durable-streams-cloudflare/core/kit/yield";
import { peerOf } from "@durable-streams-cloudflare/core/stream/forks/peer";
import { directoryOf, type Directories } from "@durable-streams-cloudflare/core/stream/notify/announcer";
import { followerNotifierOf } from "@durable-streams-cloudflare/core/stream/notify/followers";
import { notifierOf } from "@durable-streams-cloudflare/core/stream/notify/wake-subscriptions";
import { LiveReaders } from "@durable-streams-cloudflare/core/stream/read/live-readers";
import { readerSlotsOf, type ReaderSlotOwners } from "@durable-streams-cloudflare/core/stream/read/reader-slots";
import { Stream } from "@durable-streams-cloudflare/core/stream/stream";
import { STREAM_SCHEMA } from "@durable-streams-cloudflare/core/stream/tables/schema";
import type { Result } from "@durable-streams-cloudflare/protocol";
import { DurableObject } from "cloudflare:workers";

import { objectDatabase } from "../bindings/object-database.ts";
import { r2SegmentStore } from "../bindings/r2-segment-store.ts";
import { attachResponse } from "./attach-response.ts";

/** What a stream's object needs: its own namespace, because forks read from other streams. */
export interface StreamEnv {
  /** Where cold segments are kept. Without it everything stays in the objects. */
  readonly SEGMENTS?: R2Bucket;
  readonly STREAMS: DurableObjectNamespace<StreamDO>;
  /** The objects of projects, which list their streams. */
  readonly PROJECTS?: Directories & ReaderSlotOwners;
  /** The objects that know who follows a stream. Without them nobody does. */
  readonly SUBSCRIPTIONS?: { getByName(source: string): Pick<SubscriptionApi, "notify"> };
  /** The subscriptions of the protocol. Without them no stream wakes any. */
  readonly CONSUMERS?: { getByName(consumer: string): Pick<ConsumerNotifyApi, "notify"> };
}

export class StreamDO extends DurableObject<StreamEnv> implements StreamApi {
  readonly #stream: Stream;

  constructor(context: DurableObjectState, env: StreamEnv) {
    super(context, env);
    const { storage } = context;
    const config = parseConfig(env);
    this.#stream = new Stream(
      {
        database: objectDatabase(storage, STREAM_SCHEMA),
        readers: new LiveReaders((of) => context.getWebSockets(of)),
        segments: env.SEGMENTS && r2SegmentStore(env.SEGMENTS),
        report: (message, error) => logFault(config.logLevel, message, error),
        databaseBytes: () => storage.sql.databaseSize,
        now: () => Date.now(),
        nextTurn,
        sync: () => storage.sync(),
        name: objectName(context.id),
        peer: (name) => peerOf(() => env.STREAMS.getByName(name)),
        pause: () => FOREGROUND.yieldToAppends(),
        notifyFollowers: followerNotifierOf(env.SUBSCRIPTIONS, objectName(context.id)),
        notifyConsumer: notifierOf(env.CONSUMERS),
        directory: directoryOf(env.PROJECTS, objectName(context.id)),
        requestReaderSlots: readerSlotsOf(env.PROJECTS, objectName(context.id)),
        newId: () => crypto.randomUUID(),
        random: () => Math.random(),
        purge: () => storage.deleteAll(),
        setAlarm: (atMs) => void storage.setAlarm(atMs),
        clearAlarm: () => void storage.deleteAlarm(),
      },
      config,
    );
  }

  /** Made again from its beginning, with another fork id, when the answer of a fork's source was lost. */
  create(command: CreateCommand): Promise<Result<CreateResult>> {
    return retryRpc(() => this.#stream.create(command));
  }

  append(command: AppendCommand): Promise<Result<AppendResult>> {
    return this.#stream.append(command);
  }

  appendAll(commands: readonly AppendCommand[]): Promise<Result<AppendResult>[]> {
    return this.#stream.appendAll(commands);
  }

  async head(): Promise<Result<HeadResult>> {
    return this.#stream.head();
  }

  async read(command: ReadCommand): Promise<Result<ReadResult>> {
    return this.#stream.read(command);
  }

  async page(command: PageCommand): Promise<Result<PageResult>> {
    return this.#stream.page(command);
  }

  remove(incarnation?: number): Promise<Result<object>> {
    return this.#stream.remove(incarnation);
  }

  discard(isEmptied?: boolean): Promise<Result<{ readonly wasDamaged: boolean }>> {
    return this.#stream.discard(isEmptied);
  }

  pin(command: PinCommand): Promise<Result<PinResult>> {
    return this.#stream.pin(command);
  }

  release(forkId: string): Promise<void> {
    return this.#stream.release(forkId);
  }

  follow(command: FollowCommand): Promise<Result<FollowResult>> {
    return this.#stream.fanOut.follow(command);
  }

  unfollow(token: number): Promise<void> {
    return this.#stream.fanOut.unfollow(token);
  }

  pull(command: PullCommand): Promise<Result<PullResult>> {
    return this.#stream.fanOut.pull(command);
  }

  openSession(command: OpenSessionCommand): Promise<Result<SessionResult>> {
    return this.#stream.fanOut.openSession(command);
  }

  session(renew: boolean): Promise<Result<SessionResult>> {
    return this.#stream.fanOut.session(renew);
  }

  endSession(incarnation: number): Promise<Result<object>> {
    return this.#stream.fanOut.endSession(incarnation);
  }

  deliver(command: DeliverCommand): Promise<Result<DeliverResult>> {
    return this.#stream.fanOut.deliver(command);
  }

  want(command: WantCommand): Promise<Result<WantResult>> {
    return this.#stream.consumers.want(command);
  }

  /** Attaches a live reader. */
  override async fetch({ url }: Request): Promise<Response> {
    return attachResponse(url, this.#stream, (socket, of) => this.ctx.acceptWebSocket(socket, [of]));
  }

  override alarm(): Promise<void> {
    return this.#stream.alarm();
  }

  /** The edge never sends; a hibernating socket needs the handler. */
  override webSocketMessage(): void {}

  override webSocketClose(): void {
    this.#stream.readerLeft();
  }

  override webSocketError(): void {
    this.#stream.readerLeft();
  }
}
