/** Checks a project's limits of streams and of bytes when a stream is created, as far as its directory has counted them. */

import type { Counters } from "@durable-streams-cloudflare/core/contracts/project";
import { PROJECT_STORAGE_FULL } from "@durable-streams-cloudflare/core/stream/append/quota-grant";
import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import type { Granted } from "../auth/authorize.ts";
import type { StreamClient } from "../client/stream-client.ts";

/** Returns a project's counts of streams and bytes, which lag about a second behind. */
export type CountersOf = (project: string) => Promise<Pick<Counters, "streams" | "bytes">>;

interface Creation {
  readonly counters: CountersOf | undefined;
  readonly granted: Granted;
  readonly stream: StreamClient;
  readonly project: string;
  /** What the stream begins with. */
  readonly bytes: number;
}

/**
 * Refuses to create a stream beyond the project's limits. A stream that already exists is never refused: creating it again
 * changes nothing, and clients do so when an answer was lost.
 */
export async function refuseCreation(creation: Creation): Promise<Refusal | undefined> {
  const { streams = null, storedBytes = null } = creation.granted.limits ?? {};
  if (streams === null && (storedBytes === null || creation.bytes === 0)) return undefined;
  const counted = await countersOf(creation);
  const isFull = counted.streams >= (streams ?? Infinity);
  const isStored = creation.bytes === 0 || counted.bytes + creation.bytes <= (storedBytes ?? Infinity);
  if ((!isFull && isStored) || (await isThere(creation))) return undefined;
  return isFull ? refuseStreams(streams) : PROJECT_STORAGE_FULL;
}

function refuseStreams(limit: number | null): Refusal {
  return refuse("project-full", `The project can have at most ${limit} streams.`, {
    hint: "Delete streams that are no longer needed. Deletions count after about a second.",
  });
}

/** A directory that does not answer limits nobody. */
async function countersOf({ counters, project }: Creation): ReturnType<CountersOf> {
  try {
    return (await counters?.(project)) ?? { streams: 0, bytes: 0 };
  } catch {
    return { streams: 0, bytes: 0 };
  }
}

async function isThere({ stream }: Creation): Promise<boolean> {
  const found = await stream.call((stub) => stub.head());
  return found.ok || found.problem.code !== "stream-not-found";
}
