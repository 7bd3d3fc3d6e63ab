/** The Durable Object of one session: a thin shell that supplies the runtime's storage, clock and alarm. */

import type {
  EstuaryApi,
  EstuaryResult,
  LinkId,
  LinkOwnerApi,
  SourceResult,
  SubscribeCommand,
  SubscribeResult,
} from "@durable-streams-cloudflare/core/contracts/fan-out";
import type { Estuary } from "@durable-streams-cloudflare/core/fan-out/session/estuary";
import { ESTUARY_SCHEMA } from "@durable-streams-cloudflare/core/fan-out/session/estuary-rows";
import { createSession, sessionApi } from "@durable-streams-cloudflare/http/objects/session-object";
import type { Result } from "@durable-streams-cloudflare/protocol";
import { DurableObject } from "cloudflare:workers";

import { peersOf, runtimeOf, type ObjectEnv } from "./runtime.ts";

export class EstuaryDO extends DurableObject<ObjectEnv> implements EstuaryApi, LinkOwnerApi {
  readonly #session: Estuary;
  readonly #api: EstuaryApi & LinkOwnerApi;

  constructor(context: DurableObjectState, env: ObjectEnv) {
    super(context, env);
    this.#session = createSession(runtimeOf(context, ESTUARY_SCHEMA), peersOf(env));
    this.#api = sessionApi(this.#session);
  }

  subscribe(command: SubscribeCommand): Promise<Result<SubscribeResult>> {
    return this.#api.subscribe(command);
  }

  join(command: SubscribeCommand): Promise<Result<SubscribeResult>> {
    return this.#api.join(command);
  }

  unsubscribe(sources: readonly string[]): Promise<Result<{ results: readonly SourceResult[] }>> {
    return this.#api.unsubscribe(sources);
  }

  describe(): Promise<Result<EstuaryResult>> {
    return this.#api.describe();
  }

  touch(): Promise<Result<Pick<EstuaryResult, "deadlineMs">>> {
    return this.#api.touch();
  }

  remove(): Promise<Result<object>> {
    return this.#api.remove();
  }

  linkEnded(source: string, link: LinkId): Promise<void> {
    return this.#api.linkEnded(source, link);
  }

  override alarm(): Promise<void> {
    return this.#session.alarm();
  }
}
