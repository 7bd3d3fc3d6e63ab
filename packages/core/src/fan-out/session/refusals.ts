/** What everything answers that is asked of no session. */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

export function refuseNoEstuary(): Refusal {
  return refuse("estuary-not-found", "There is no such session, or it has ended.", {
    hint: "Subscribing makes it.",
  });
}
