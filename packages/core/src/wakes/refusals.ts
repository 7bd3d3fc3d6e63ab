/** What everything answers that is asked of no subscription. */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

export function refuseNoSubscription(): Refusal {
  return refuse("subscription-not-found", "No subscription has this id.", { hint: "Create it with PUT." });
}
