/** What everything answers that is asked of no subscription. */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

export function refuseNoSubscription(): Refusal {
  return refuse("subscription-not-found", "There is no such subscription.", { hint: "Create it with PUT." });
}
