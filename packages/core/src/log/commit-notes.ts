/**
 * The notes of a log row: where its appends end, which producers it advanced, and whether it closed the stream. With them one
 * commit is one row. They are stored as compact JSON in the column `notes`, null when there is nothing to note. The letters are
 * a storage format: never give one a new meaning.
 */

import type { ProducerClaim } from "@durable-streams-cloudflare/protocol";

import type { Authors } from "../contracts/authors.ts";

export interface CommitNotes {
  /** Ends of the row's appends, relative to the row's position. Absent: the row is one append. */
  readonly ends?: readonly number[];
  /** The append goes on in the next row: this row's end is not an offset. */
  readonly open?: true;
  /** The last claim accepted of each producer in this commit. */
  readonly producers?: readonly ProducerClaim[];
  /** The last `Stream-Seq` accepted. */
  readonly streamSeq?: string;
  /** The stream was closed by this commit; with the producer's claim that did it, if one did. */
  readonly closed?: { readonly by?: ProducerClaim };
  /** The request id of each append, in order; null for those that have none. */
  readonly requestIds?: readonly (string | null)[];
  /** Who wrote each append. Absent in streams that do not record that. */
  readonly authors?: Authors;
}

type StoredClaim = [id: string, epoch: number, seq: number];

interface StoredNotes {
  e?: readonly number[];
  o?: 1;
  p?: readonly StoredClaim[];
  s?: string;
  c?: 1 | StoredClaim;
  a?: readonly (string | null)[];
  w?: string | null | Authors;
}

export function encodeNotes(notes: CommitNotes): string | null {
  const stored: StoredNotes = {};
  if (notes.ends !== undefined) stored.e = notes.ends;
  if (notes.open === true) stored.o = 1;
  if (notes.producers !== undefined) stored.p = notes.producers.map(storeClaim);
  if (notes.streamSeq !== undefined) stored.s = notes.streamSeq;
  if (notes.closed !== undefined) stored.c = notes.closed.by === undefined ? 1 : storeClaim(notes.closed.by);
  if (notes.requestIds !== undefined) stored.a = notes.requestIds;
  if (notes.authors !== undefined) stored.w = storeAuthors(notes.authors);
  const text = JSON.stringify(stored);
  return text === "{}" ? null : text;
}

export function decodeNotes(text: string | null): CommitNotes {
  if (text === null) return {};
  const stored = JSON.parse(text) as StoredNotes;
  return {
    ...(stored.e === undefined ? {} : { ends: stored.e }),
    ...(stored.o === undefined ? {} : { open: true as const }),
    ...(stored.p === undefined ? {} : { producers: stored.p.map(loadClaim) }),
    ...(stored.s === undefined ? {} : { streamSeq: stored.s }),
    ...(stored.c === undefined ? {} : { closed: stored.c === 1 ? {} : { by: loadClaim(stored.c) } }),
    ...(stored.a === undefined ? {} : { requestIds: stored.a }),
    ...(stored.w === undefined ? {} : { authors: loadAuthors(stored.w, stored.e?.length ?? 1) }),
  };
}

/** Mostly the same user has written all of them. */
function storeAuthors(authors: Authors): string | null | Authors {
  const [first = null] = authors;
  return authors.every((author) => author === first) ? first : authors;
}

function loadAuthors(stored: string | null | Authors, count: number): Authors {
  return Array.isArray(stored) ? (stored as Authors) : Array.from({ length: count }, () => stored as string | null);
}

function storeClaim(claim: ProducerClaim): StoredClaim {
  return [claim.id, claim.epoch, claim.seq];
}

function loadClaim([id, epoch, seq]: StoredClaim): ProducerClaim {
  return { id, epoch, seq };
}
