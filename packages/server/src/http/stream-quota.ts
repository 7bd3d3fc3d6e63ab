/** A project's limit of streams, as far as its directory knows of them. */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import type { Exchange } from "./exchange.ts";

/** How many streams a project has. It learns of them a second or so later. */
export type CountStreams = (project: string) => Promise<number>;

interface Creation extends Pick<Exchange, "countStreams" | "granted" | "stream"> {
  readonly project: string;
}

/**
 * Refuses to create a stream that would be one too many. One that is there already is never refused: creating it again
 * changes nothing, and clients do so after an answer was lost.
 */
export async function refuseStreamTooMany(creation: Creation): Promise<Refusal | undefined> {
  const limit = creation.granted.limits?.streams ?? null;
  if (limit === null || (await countOf(creation)) < limit || (await isThere(creation))) return undefined;
  return refuse("project-full", `The project's limit is ${limit} streams.`, {
    hint: "Delete streams that are not needed; the directory learns of it a second or so later.",
  });
}

/** A directory that does not answer limits nobody. */
async function countOf({ countStreams, project }: Creation): Promise<number> {
  try {
    return (await countStreams?.(project)) ?? 0;
  } catch {
    return 0;
  }
}

async function isThere({ stream }: Creation): Promise<boolean> {
  const found = await stream.call((stub) => stub.head());
  return found.ok || found.problem.code !== "stream-not-found";
}
