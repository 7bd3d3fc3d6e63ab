/** The Durable Object of one stream: a thin shell that supplies the runtime's storage, clock, sockets and alarm. */

import type {
  DeliverCommand,
  DeliverResult,
  FollowCommand,
  FollowResult,
  OpenSessionCommand,
  PullCommand,
  PullResult,
  SessionResult,
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
import type { WantCommand, WantResult } from "@durable-streams-cloudflare/core/contracts/wakes";
import { LiveReaders } from "@durable-streams-cloudflare/core/stream/read/live-readers";
import type { Stream } from "@durable-streams-cloudflare/core/stream/stream";
import { STREAM_SCHEMA } from "@durable-streams-cloudflare/core/stream/tables/schema";
import { createStream, streamApi } from "@durable-streams-cloudflare/http/objects/stream-object";
import type { Result } from "@durable-streams-cloudflare/protocol";
import { DurableObject } from "cloudflare:workers";

import { attachResponse } from "./attach-response.ts";
import { peersOf, runtimeOf, type ObjectEnv } from "./runtime.ts";

export class StreamDO extends DurableObject<ObjectEnv> implements StreamApi {
  readonly #stream: Stream;
  readonly #api: StreamApi;

  constructor(context: DurableObjectState, env: ObjectEnv) {
    super(context, env);
    const readers = new LiveReaders((of) => context.getWebSockets(of));
    this.#stream = createStream(runtimeOf(context, STREAM_SCHEMA), readers, peersOf(env));
    this.#api = streamApi(this.#stream);
  }

  create(command: CreateCommand): Promise<Result<CreateResult>> {
    return this.#api.create(command);
  }

  append(command: AppendCommand): Promise<Result<AppendResult>> {
    return this.#api.append(command);
  }

  appendAll(commands: readonly AppendCommand[]): Promise<Result<AppendResult>[]> {
    return this.#api.appendAll(commands);
  }

  head(): Promise<Result<HeadResult>> {
    return this.#api.head();
  }

  read(command: ReadCommand): Promise<Result<ReadResult>> {
    return this.#api.read(command);
  }

  page(command: PageCommand): Promise<Result<PageResult>> {
    return this.#api.page(command);
  }

  remove(incarnation?: number): Promise<Result<object>> {
    return this.#api.remove(incarnation);
  }

  discard(isEmptied?: boolean): Promise<Result<{ readonly wasDamaged: boolean }>> {
    return this.#api.discard(isEmptied);
  }

  pin(command: PinCommand): Promise<Result<PinResult>> {
    return this.#api.pin(command);
  }

  release(forkId: string): Promise<void> {
    return this.#api.release(forkId);
  }

  follow(command: FollowCommand): Promise<Result<FollowResult>> {
    return this.#api.follow(command);
  }

  unfollow(token: number): Promise<void> {
    return this.#api.unfollow(token);
  }

  pull(command: PullCommand): Promise<Result<PullResult>> {
    return this.#api.pull(command);
  }

  openSession(command: OpenSessionCommand): Promise<Result<SessionResult>> {
    return this.#api.openSession(command);
  }

  session(renew: boolean): Promise<Result<SessionResult>> {
    return this.#api.session(renew);
  }

  endSession(incarnation: number): Promise<Result<object>> {
    return this.#api.endSession(incarnation);
  }

  deliver(command: DeliverCommand): Promise<Result<DeliverResult>> {
    return this.#api.deliver(command);
  }

  want(command: WantCommand): Promise<Result<WantResult>> {
    return this.#api.want(command);
  }

  /** Attaches a live reader: answers an `attachRequest`. */
  override async fetch({ url }: Request): Promise<Response> {
    return attachResponse(url, this.#stream, (socket, tags) => this.ctx.acceptWebSocket(socket, tags));
  }

  override alarm(): Promise<void> {
    return this.#stream.alarm();
  }

  /** Does nothing: the edge never sends a message, but a hibernating socket needs this handler. */
  override webSocketMessage(): void {}

  override webSocketClose(): void {
    this.#stream.readerLeft();
  }

  override webSocketError(): void {
    this.#stream.readerLeft();
  }
}
