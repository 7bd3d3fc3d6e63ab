/** Refuses a live reader when too many wait already. */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import type { ReaderBudget } from "../../contracts/reader-slots.ts";

/** Clients wait at least this long and then try again, for as long as it takes. */
const READER_RETRY_SECONDS = "5";

/** @param budget whose slots in the project are taken; none: those of the stream are. */
export function refuseReader(budget?: ReaderBudget): Refusal {
  const headers = { "Retry-After": READER_RETRY_SECONDS };
  if (budget !== undefined) {
    const limit = budget === "public" ? "publicLiveReaders" : "liveReaders";
    return refuse("project-readers-full", "The project has reached its limit for live readers.", {
      hint: `Retry later, read without live, or ask the administrator to raise the project's limit ${limit}.`,
      headers,
    });
  }
  return refuse("readers-full", "The stream has reached the limit READERS_MAX for live readers.", {
    hint: "Retry later, read without live, or raise READERS_MAX.",
    headers,
  });
}
