/**
 * Creates streams: empty or with their first bytes, as a fork [PROTOCOL §4.2], or as the stream of a session. It also decides
 * whether a stream that exists already is the one requested.
 */

import {
  DEFAULT_CONTENT_TYPE,
  framingOf,
  KEEP_ALL,
  keepsAll,
  lineageAtBase,
  refuse,
  refuseForkSourceNotFound,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { OpenSessionCommand } from "../../contracts/fan-out.ts";
import type { CreateCommand, CreateResult, ForkCommand, PinResult } from "../../contracts/stream.ts";
import { SingleFlight } from "../../kit/single-flight.ts";
import type { CommitNotes } from "../../log/commit-notes.ts";
import { HotLog } from "../../log/hot-log.ts";
import { requestsBefore } from "../append/request-rows.ts";
import type { StreamCapacity } from "../append/stream-capacity.ts";
import { canonicalOffset, CLOCK_SKEW_MS_MAX, PIN_MS_MAX } from "../forks/forks.ts";
import type { StreamHost } from "../host.ts";
import { recordNotice } from "../notify/directory-notices.ts";
import { applyCommit, newState, type NewStream, type StreamState } from "../state.ts";
import { deletePendingRelease } from "../tables/fork-rows.ts";
import { createSchema, STREAM_SCHEMA } from "../tables/schema.ts";
import { insertStreamRow } from "../tables/stream-row.ts";
import { configurationDifference } from "./configuration.ts";
import type { Lifecycle } from "./lifecycle.ts";

/** What a new stream will be: its lifetime begins with it. */
type Beginning = Omit<NewStream, "touchedAtMs" | "origin"> & Partial<Pick<NewStream, "origin">>;

/** Creations of one URL that wait at the same time, and are known by their request ids. */
const CREATIONS_MAX = 1_000;

interface CreationPorts {
  readonly capacity: Pick<StreamCapacity, "refuseFirst">;
  /** Called, once it is durable, when another stream has replaced an expired one. */
  onReplaced(expired: StreamState): void;
}

export class Creation {
  readonly #host: StreamHost;
  readonly #lifecycle: Lifecycle;
  readonly #ports: CreationPorts;
  /** Creations that wait for something, by their request ids. */
  readonly #underWay = new SingleFlight<Result<CreateResult>>(CREATIONS_MAX);

  constructor(host: StreamHost, lifecycle: Lifecycle, ports: CreationPorts) {
    this.#host = host;
    this.#lifecycle = lifecycle;
    this.#ports = ports;
  }

  /** [PROTOCOL §5.1] Confirming an existing stream renews its sliding lifetime, as any use of it does. */
  async create(command: CreateCommand): Promise<Result<CreateResult>> {
    const { attempt: requestId } = command;
    if (requestId === undefined) return this.#create(command);
    return this.#underWay.run(requestId, () => this.#recall(command, requestId) ?? this.#create(command));
  }

  /** What a creation is answered that this object has carried out before, also when the stream is gone since. */
  #recall(command: CreateCommand, requestId: string): Promise<Result<CreateResult>> | undefined {
    const state = this.#lifecycle.stored();
    const landing = this.#lifecycle.requests.find(requestId);
    if (landing === undefined) return undefined;
    const { lineage, end } = landing;
    const isStillThere = state?.lineage.incarnation === lineage.incarnation;
    const contentType = isStillThere ? state.contentType : (command.contentType ?? DEFAULT_CONTENT_TYPE);
    return Promise.resolve({ ok: true, created: true, contentType, lineage, tail: end, closed: command.closed });
  }

  async #create(command: CreateCommand): Promise<Result<CreateResult>> {
    const occupied = this.#confirm(command);
    if (occupied !== undefined) return occupied;
    const tooLarge = this.#ports.capacity.refuseFirst(command.bytes.length);
    if (tooLarge !== undefined) return tooLarge;
    const { retention } = command;
    if (!keepsAll(retention) && this.#host.segments === undefined) {
      return refuse("retention-unavailable", "Retention requires object storage, but the binding SEGMENTS is missing.");
    }
    if (command.fork !== undefined) return this.#createFork(command, command.fork);
    const contentType = command.contentType ?? DEFAULT_CONTENT_TYPE;
    const incarnation = this.#lifecycle.nextIncarnation(0);
    const { lifetime, recordsAuthors = false } = command;
    return this.#begin(command, { contentType, lifetime, retention, earliest: 0, incarnation, recordsAuthors });
  }

  /** What a create is answered when there is something at this URL already. */
  #confirm(command: CreateCommand): Result<CreateResult> | undefined {
    const status = this.#lifecycle.status();
    if (status.kind === "none") return undefined;
    if (status.kind === "retained") return refuseRetained();
    const { state } = status;
    const difference = configurationDifference(state, command);
    if (difference !== undefined) {
      return refuse("stream-exists", difference, {
        hint: "Delete the stream first, or send the configuration that it has.",
      });
    }
    this.#lifecycle.touch(state);
    return { ok: true, ...createResult(state, false) };
  }

  /**
   * Pins first, then creates. Until both are done there is a pending release, which the alarm carries out if this object dies.
   * @throws when the pin's answer is lost: then the pin may still be made, until the release is due.
   */
  async #createFork(command: CreateCommand, fork: ForkCommand): Promise<Result<CreateResult>> {
    if (fork.source === this.#host.name) return refuseForkSourceNotFound();
    const forkId = this.#host.newId();
    const untilMs = this.#host.now() + PIN_MS_MAX;
    await this.#lifecycle.releases.record({ id: forkId, source: fork.source, dueAtMs: untilMs + CLOCK_SKEW_MS_MAX });
    try {
      const { contentType } = command;
      const pinned = await this.#host
        .peer(fork.source)
        .pin({ ...fork, contentType, forkId, forkName: this.#host.name, untilMs });
      if (!pinned.ok) {
        await this.#lifecycle.cancelRelease(forkId);
        return pinned;
      }
      // Somebody else may have created a stream here in the meantime; then this pin is one too many.
      const result = this.#confirm(command) ?? (await this.#beginFork(command, fork, forkId, pinned));
      if (!result.ok || !result.created) this.#lifecycle.releases.fallDue(forkId);
      return result;
    } finally {
      this.#lifecycle.releases.activate(forkId);
    }
  }

  async #beginFork(
    command: CreateCommand,
    fork: ForkCommand,
    forkId: string,
    pinned: PinResult,
  ): Promise<Result<CreateResult>> {
    const { contentType, ancestors } = pinned;
    if (command.contentType === null && command.bytes.length > 0 && framingOf(contentType) === "json") {
      return refuse(
        "content-type-missing",
        "The request has a body but no Content-Type. Send the source's: application/json.",
      );
    }
    const inheritsLifetime = command.lifetime.kind === "forever";
    return this.#begin(command, {
      contentType: command.contentType ?? contentType,
      lifetime: inheritsLifetime ? pinned.lifetime : command.lifetime,
      retention: command.retention,
      earliest: pinned.earliest,
      recordsAuthors: command.recordsAuthors ?? false,
      incarnation: this.#lifecycle.nextIncarnation(pinned.incarnation),
      origin: {
        forkId,
        source: fork.source,
        offset: canonicalOffset(fork.offset, ancestors),
        subOffset: fork.subOffset,
        inheritsLifetime,
        ancestors,
      },
    });
  }

  async #begin(command: CreateCommand, beginning: Beginning): Promise<Result<CreateResult>> {
    const now = this.#host.now();
    const { bytes, closed, author = null, attempt: requestId } = command;
    const log = new HotLog(this.#host.database);
    const result = { ...beginning, origin: beginning.origin, touchedAtMs: now };
    const state = newState(result, log, this.#lifecycle.requests);
    const notes: CommitNotes = {
      ...(closed ? { closed: {} } : {}),
      ...(state.recordsAuthors ? { authors: [author] } : {}),
    };
    const hasCommit = bytes.length > 0 || closed;
    const position = state.base;
    const { database } = this.#host;
    const expired = this.#lifecycle.stored();
    // Readers of an expired stream would take the new one for its continuation.
    if (expired !== undefined) this.#host.readers.endAll();
    const requests = requestsBefore(state.requests, now);
    if (requestId !== undefined) requests.push([requestId, position + bytes.length]);
    database.transaction(() => {
      this.#lifecycle.bury();
      createSchema(database);
      insertStreamRow(database, STREAM_SCHEMA.version, { ...result, requests });
      if (hasCommit) log.insertCommit(position, bytes, notes, now);
      if (result.origin !== undefined) deletePendingRelease(database, result.origin.forkId);
      recordNotice(this.#host, result.incarnation, result.contentType);
    });
    if (hasCommit) applyCommit(state, { position, size: bytes.length, committedAtMs: now, notes });
    state.hasStoredRequests = requests.length > 0;
    if (requestId !== undefined) {
      state.requests.remember(requestId, { lineage: lineageAtBase(state.lineage), end: state.tail }, now);
    }
    this.#lifecycle.began(state, expired);
    await this.#host.sync();
    if (expired !== undefined) this.#ports.onReplaced(expired);
    return { ok: true, ...createResult(state, true) };
  }

  /** The stream of a session, where there is none. */
  async beginSession({ contentType, ttlSeconds }: OpenSessionCommand): Promise<Result<object>> {
    if (this.#lifecycle.status().kind === "retained") return refuseRetained();
    const lifetime = { kind: "ttl", ttlSeconds } as const;
    const incarnation = this.#lifecycle.nextIncarnation(0);
    const configuration = { contentType, lifetime, retention: KEEP_ALL };
    const nothing = { ...configuration, closed: false, bytes: new Uint8Array() };
    return this.#begin(nothing, { ...configuration, earliest: 0, incarnation, kind: "session" });
  }
}

function refuseRetained(): Refusal {
  return refuse("path-retained", "The stream at this path was deleted, but forks still read its data.", {
    hint: "Delete the forks first, or use another path.",
  });
}

function createResult(state: StreamState, created: boolean): CreateResult {
  const { contentType, tail } = state;
  return { created, contentType, lineage: lineageAtBase(state.lineage), tail, closed: state.closure !== undefined };
}
