/** The answer to any request about a subscription that does not exist. */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

export function refuseNoSubscription(): Refusal {
  return refuse("subscription-not-found", "No subscription has this id.", { hint: "Create it with PUT." });
}
