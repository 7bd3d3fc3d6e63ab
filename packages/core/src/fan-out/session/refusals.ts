/** The answer to any request about a session that does not exist. */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

export function refuseNoEstuary(): Refusal {
  return refuse("estuary-not-found", "The session does not exist or has ended.", {
    hint: "Subscribe to a source to create it.",
  });
}
