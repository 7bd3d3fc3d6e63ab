/**
 * Decides whether an append is admitted, in the order that the specification recommends: closed, content type, the request's
 * own fault, producer, Stream-Seq, expected offset. Before all of these it checks the stream's kind, which says who may append
 * at all; after them, whether there is storage left.
 *
 * The appends of a batch are admitted against a draft: the state of the stream if the batch commits. The draft becomes the
 * state only after its transaction.
 */

import {
  decideProducer,
  HEADER,
  isAppendable,
  isStreamSeqAfter,
  lastSeqHeader,
  lineageAtBase,
  offsetAt,
  refuse,
  refuseClosed,
  refuseGap,
  refuseNotFound,
  refuseStaleEpoch,
  sameClaim,
  type Lineage,
  type ProducerClaim,
  type ProducerState,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { AppendCommand, AppendResult } from "../../contracts/stream.ts";
import type { Database } from "../../kit/database.ts";
import { refuseNoSession } from "../session/sessions.ts";
import { findProducer, type Closure, type StreamState } from "../state.ts";

/** The state of the stream after the appends of the batch that have been admitted so far. */
export interface Draft {
  readonly state: StreamState;
  readonly database: Database;
  /** One object for all results of the batch: it travels once. */
  readonly lineage: Lineage;
  tail: number;
  streamSeq: string | undefined;
  closure: Closure | undefined;
  readonly producers: Map<string, ProducerState>;
  /** Bytes that may still be added, and what an append is answered that has more. */
  remaining: number;
  readonly refuse: (bytes: number) => Refusal;
}

/** What may be added to a stream. */
export type Remaining = Pick<Draft, "remaining" | "refuse">;

export function draftOf(state: StreamState, database: Database, remaining: Remaining): Draft {
  return {
    ...remaining,
    state,
    database,
    lineage: lineageAtBase(state.lineage),
    tail: state.tail,
    streamSeq: state.streamSeq,
    closure: state.closure,
    producers: new Map(),
  };
}

/**
 * Admits one append into the draft, or says why not. `ok` with `admitted: false`: the append is stored already, so there is
 * nothing to add. A request that the edge sends again is answered before this (`repeated-append.ts`).
 */
export function admit(draft: Draft, sent: AppendCommand): Result<{ admitted: boolean; result: AppendResult }> {
  const command = sent.expected !== undefined && sent.fault?.code === "unavailable" ? withoutFault(sent) : sent;
  const wrongKind = kindConflict(draft, command);
  if (wrongKind !== undefined) return wrongKind;
  const conflict =
    draft.closure === undefined ? openConflict(draft, command) : closedConflict(draft, draft.closure, command);
  if (conflict !== undefined) return conflict;
  // Last of all: what was stored before is known, and what only closes needs none.
  if (command.bytes.length > 0 && command.bytes.length > draft.remaining) return draft.refuse(command.bytes.length);
  draft.remaining -= command.bytes.length;
  draft.tail += command.bytes.length;
  if (command.streamSeq !== undefined) draft.streamSeq = command.streamSeq;
  if (command.close) draft.closure = command.producer === undefined ? {} : { by: command.producer };
  if (command.producer !== undefined) draft.producers.set(command.producer.id, producerState(command.producer));
  const outcome = command.bytes.length > 0 ? "appended" : "closed";
  return { ok: true, admitted: true, result: unwrap(draft, draft.tail, outcome, command.producer) };
}

type Conflict = ReturnType<typeof admit> | undefined;

/** [PROTOCOL §5.2.1, Stream Closure with Idempotent Producers] */
function closedConflict(draft: Draft, closure: Closure, command: AppendCommand): Conflict {
  if (command.producer !== undefined) {
    return sameClaim(closure.by, command.producer)
      ? known(draft, draft.tail, "duplicate", command.producer)
      : refuseClosed(draft.state.lineage, draft.tail);
  }
  const closeOnly = command.close && command.bytes.length === 0 && command.fault === undefined;
  return closeOnly ? known(draft, draft.tail, "closed") : refuseClosed(draft.state.lineage, draft.tail);
}

/** A session accepts what its sources deliver, each from its own watermark, and nothing else. */
function kindConflict(draft: Draft, { delivery, producer }: AppendCommand): Conflict {
  if (draft.state.kind === "plain") return delivery === undefined ? undefined : refuseNoSession();
  if (delivery === undefined || producer === undefined) {
    return refuse(
      "session-read-only",
      "Appends to a session are not allowed: messages arrive in it from its sources.",
      {
        hint: "Append to one of its sources.",
      },
    );
  }
  if (delivery.incarnation !== draft.state.lineage.incarnation) return refuseNotFound();
  const mark = draft.producers.get(producer.id) ?? findProducer(draft.state, draft.database, producer.id);
  const link = producer.epoch - (producer.epoch % 2);
  if (mark !== undefined && mark.epoch > link) return known(draft, draft.tail, "duplicate", mark);
  const expected = mark?.epoch === link ? mark.seq : delivery.start;
  if (delivery.from === expected) return undefined;
  return known(draft, draft.tail, "duplicate", { epoch: link, seq: expected });
}

function openConflict(draft: Draft, command: AppendCommand): Conflict {
  // Its producer's state is the link's, which is not counted one by one.
  if (command.delivery !== undefined) return undefined;
  return (
    contentTypeConflict(draft.state.contentType, command) ??
    producerConflict(draft, command) ??
    seqConflict(draft, command) ??
    tailConflict(draft, command)
  );
}

/** This fault of a command that expects an offset is for objects which do not know that. */
function withoutFault(command: AppendCommand): AppendCommand {
  const { fault: _, ...rest } = command;
  return rest;
}

function contentTypeConflict(streamType: string, command: AppendCommand): Refusal | undefined {
  const carriesData = command.bytes.length > 0 || command.fault !== undefined;
  const mismatch = command.contentType !== null && !isAppendable(command.contentType, streamType);
  if (carriesData && mismatch) {
    return refuse(
      "content-type-mismatch",
      `The stream's content type is ${streamType}, but the request's is ${command.contentType}.`,
      {
        hint: `Send Content-Type: ${streamType}.`,
      },
    );
  }
  return command.fault === undefined ? undefined : { ok: false, problem: command.fault };
}

function producerConflict(draft: Draft, command: AppendCommand): Conflict {
  const claim = command.producer;
  if (claim === undefined) return undefined;
  const state = draft.producers.get(claim.id) ?? findProducer(draft.state, draft.database, claim.id);
  const decision = decideProducer(state, claim);
  switch (decision.kind) {
    case "accept":
      return undefined;
    case "duplicate":
      return known(draft, draft.tail, "duplicate", decision.state);
    case "stale-epoch":
      return refuseStaleEpoch(decision.currentEpoch);
    case "epoch-must-start-at-zero":
      return refuse(
        "producer-epoch-start",
        `Producer-Epoch ${claim.epoch} is new, so its first Producer-Seq must be 0.`,
      );
    case "gap":
      return refuseGap(decision.expectedSeq, claim.seq);
  }
}

function seqConflict(draft: Draft, command: AppendCommand): Refusal | undefined {
  if (command.streamSeq === undefined || isStreamSeqAfter(command.streamSeq, draft.streamSeq)) return undefined;
  // Official clients recognize this conflict by the word "sequence".
  return refuse(
    "stream-seq-regression",
    "Stream-Seq must be greater than the stream's last sequence, compared byte by byte.",
    {
      headers: { [HEADER.nextOffset]: offsetAt(draft.lineage, draft.tail), ...lastSeqHeader(draft.streamSeq) },
    },
  );
}

/** Compare-and-append: the tail is that which the appends before this one in the batch have made. */
function tailConflict({ lineage, tail }: Draft, { expected }: AppendCommand): Refusal | undefined {
  if (expected === undefined) return undefined;
  const end = offsetAt(lineage, tail);
  if (expected === end || (expected === "" && tail === 0)) return undefined;
  return refuse("expected-offset-mismatch", `The stream ends at ${end}.`, {
    hint: "Read what was appended in the meantime, decide again, and append with the new offset.",
    headers: { [HEADER.nextOffset]: end },
  });
}

function known(
  draft: Draft,
  tail: number,
  outcome: AppendResult["outcome"],
  producer?: ProducerState | ProducerClaim,
): Result<{ admitted: boolean; result: AppendResult }> {
  return { ok: true, admitted: false, result: unwrap(draft, tail, outcome, producer) };
}

function unwrap(
  draft: Draft,
  tail: number,
  outcome: AppendResult["outcome"],
  producer: ProducerState | ProducerClaim | undefined,
): AppendResult {
  return {
    outcome,
    lineage: draft.lineage,
    tail,
    closed: draft.closure !== undefined,
    ...(producer === undefined ? {} : { producer: producerState(producer) }),
  };
}

function producerState({ epoch, seq }: ProducerState | ProducerClaim): ProducerState {
  return { epoch, seq };
}
