/** Commits one batch: admits its appends, writes the admitted ones as one row, and makes the frame for live readers. */

import type { ProducerClaim, Result } from "@durable-streams-cloudflare/protocol";

import type { LiveFrame } from "../../contracts/live-frame.ts";
import type { AppendCommand, AppendResult } from "../../contracts/stream.ts";
import { concatBytes } from "../../kit/bytes.ts";
import type { Database } from "../../kit/database.ts";
import type { CommitNotes } from "../../log/commit-notes.ts";
import { applyCommit, needsCheckpoint, writeCheckpoint, type StreamState } from "../state.ts";
import { admit, draftOf, type Draft, type Remaining } from "./admission.ts";
import { rememberRequests } from "./request-rows.ts";

export interface BatchOutcome {
  /** One per append, in order. */
  readonly results: readonly Result<AppendResult>[];
  /** What live readers are to be sent; absent when nothing was written. */
  readonly frame?: LiveFrame;
}

/** Throws only when nothing was written; the state is then as before. */
export function appendBatch(
  state: StreamState,
  database: Database,
  batch: readonly AppendCommand[],
  nowMs: number,
  remaining: Remaining,
): BatchOutcome {
  if (needsCheckpoint(state)) writeCheckpoint(state, database);
  const draft = draftOf(state, database, remaining);
  const admitted: AppendCommand[] = [];
  const results = batch.map((command): Result<AppendResult> => {
    const result = admit(draft, command);
    if (!result.ok) return result;
    if (result.admitted) admitted.push(command);
    return { ok: true, ...result.result };
  });
  if (admitted.length === 0) return { results };
  const position = state.tail;
  const bytes = joinBytes(admitted);
  const notes = notesOf(draft, admitted);
  state.log.assertEnd("the beginning of a new commit", position);
  database.transaction(() => state.log.insertCommit(position, bytes, notes, nowMs));
  const commit = { position, size: bytes.length, committedAtMs: nowMs, notes };
  applyCommit(state, commit);
  rememberRequests(state, commit, nowMs);
  return { results, frame: { from: position, to: state.tail, closed: state.closure !== undefined, bytes } };
}

function notesOf(draft: Draft, admitted: readonly AppendCommand[]): CommitNotes {
  const claims = admitted.flatMap(({ producer }) => (producer === undefined ? [] : [producer]));
  const { recordsAuthors } = draft.state;
  const streamSeqGrew = draft.streamSeq !== draft.state.streamSeq;
  return {
    ...(admitted.length > 1 ? { ends: endsOf(admitted) } : {}),
    ...(claims.length > 0 ? { producers: lastClaims(claims) } : {}),
    ...(streamSeqGrew && draft.streamSeq !== undefined ? { streamSeq: draft.streamSeq } : {}),
    ...(draft.closure === undefined ? {} : { closed: draft.closure }),
    ...(recordsAuthors ? { authors: admitted.map(({ author }) => author ?? null) } : {}),
    ...(admitted.some(({ attempt }) => attempt !== undefined)
      ? { requestIds: admitted.map(({ attempt }) => attempt ?? null) }
      : {}),
  };
}

/** The last claim of each producer. */
function lastClaims(claims: readonly ProducerClaim[]): ProducerClaim[] {
  return [...new Map(claims.map((claim) => [claim.id, claim])).values()];
}

function endsOf(admitted: readonly AppendCommand[]): number[] {
  let end = 0;
  return admitted.map(({ bytes }) => (end += bytes.length));
}

function joinBytes(admitted: readonly AppendCommand[]): Uint8Array<ArrayBuffer> {
  const [only] = admitted;
  return admitted.length === 1 && only !== undefined ? only.bytes : concatBytes(admitted.map(({ bytes }) => bytes));
}
