/** Idempotent producers [PROTOCOL §5.2.1]: the three headers, and the decision about one append. */

import { HEADER, type HeaderReader } from "./headers.ts";

export const PRODUCER_ID_LENGTH_MAX = 256;

const INTEGER_PATTERN = /^(?:0|[1-9]\d{0,15})$/;
// oxlint-disable-next-line no-control-regex -- control characters are what we refuse
const CONTROL_PATTERN = /[\u0000-\u001f\u007f]/;

/** What one append claims about its place in its producer's sequence. */
export interface ProducerClaim {
  readonly id: string;
  readonly epoch: number;
  readonly seq: number;
}

/** What a stream knows about one producer: its newest epoch, and the last sequence number accepted in it. */
export interface ProducerState {
  readonly epoch: number;
  readonly seq: number;
}

export type ParsedProducer =
  | { readonly ok: true; readonly claim: ProducerClaim | undefined }
  | { readonly ok: false; readonly reason: "incomplete" | "invalid"; readonly detail: string };

/**
 * Reads the producer headers: all three or none. Numbers are decimal without sign or leading zeros, at most
 * 2^53 - 1 (the specification says "integer"; one spelling per number keeps retries comparable).
 */
export function parseProducer(header: HeaderReader): ParsedProducer {
  const id = header(HEADER.producerId);
  const epoch = header(HEADER.producerEpoch);
  const seq = header(HEADER.producerSeq);
  if (id === null && epoch === null && seq === null) return { ok: true, claim: undefined };
  if (id === null || epoch === null || seq === null) {
    const detail = "Producer-Id, Producer-Epoch and Producer-Seq belong together: send all three or none.";
    return { ok: false, reason: "incomplete", detail };
  }
  if (id === "" || id.length > PRODUCER_ID_LENGTH_MAX || CONTROL_PATTERN.test(id)) {
    return invalid(`Producer-Id must have 1 to ${PRODUCER_ID_LENGTH_MAX} characters and no control characters.`);
  }
  if (!isProducerInteger(epoch)) return invalid(integerDetail(HEADER.producerEpoch));
  if (!isProducerInteger(seq)) return invalid(integerDetail(HEADER.producerSeq));
  return { ok: true, claim: { id, epoch: Number(epoch), seq: Number(seq) } };
}

export type ProducerDecision =
  | { readonly kind: "accept" }
  | { readonly kind: "duplicate"; readonly state: ProducerState }
  | { readonly kind: "stale-epoch"; readonly currentEpoch: number }
  | { readonly kind: "epoch-must-start-at-zero" }
  | { readonly kind: "gap"; readonly expectedSeq: number };

/** The specification's validation logic. `state` is `undefined` for a producer this stream never met. */
export function decideProducer(state: ProducerState | undefined, claim: ProducerClaim): ProducerDecision {
  if (state === undefined) {
    return claim.seq === 0 ? { kind: "accept" } : { kind: "gap", expectedSeq: 0 };
  }
  if (claim.epoch < state.epoch) return { kind: "stale-epoch", currentEpoch: state.epoch };
  if (claim.epoch > state.epoch) {
    return claim.seq === 0 ? { kind: "accept" } : { kind: "epoch-must-start-at-zero" };
  }
  if (claim.seq <= state.seq) return { kind: "duplicate", state };
  if (claim.seq === state.seq + 1) return { kind: "accept" };
  return { kind: "gap", expectedSeq: state.seq + 1 };
}

export function sameClaim(a: ProducerClaim | undefined, b: ProducerClaim | undefined): boolean {
  return a !== undefined && b !== undefined && a.id === b.id && a.epoch === b.epoch && a.seq === b.seq;
}

function isProducerInteger(text: string): boolean {
  return INTEGER_PATTERN.test(text) && Number.isSafeInteger(Number(text));
}

function integerDetail(name: string): string {
  return `${name} must be a decimal integer from 0 to ${Number.MAX_SAFE_INTEGER}, without leading zeros.`;
}

function invalid(detail: string): ParsedProducer {
  return { ok: false, reason: "invalid", detail };
}
