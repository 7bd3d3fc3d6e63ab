/** The 405 answer to a method that a route does not support. */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

/**
 * @param what the subject of the problem's sentence, such as "A stream".
 * @param methods that it supports. Every route supports OPTIONS as well.
 */
export function refuseMethod(what: string, methods: readonly string[]): Refusal {
  const allow = [...methods, "OPTIONS"].join(", ");
  return refuse("method-not-allowed", `${what} supports only ${allow}.`, { headers: { Allow: allow } });
}
