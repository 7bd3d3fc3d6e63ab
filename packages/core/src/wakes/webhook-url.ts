/** Refuses webhook URLs to which the server must not send requests [PROTOCOL §12.8]. */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import { faultOfUrl, type OutboundRules } from "../outbound/url-guard.ts";

/** Why webhooks are not sent to a URL; `undefined` when they are. */
export function refuseWebhookUrl(url: string, rules: OutboundRules): Refusal | undefined {
  const fault = faultOfUrl(url, rules);
  if (fault === undefined) return undefined;
  const hint =
    fault.isLoopback === true
      ? "For development, start the server with WEBHOOK_LOOPBACK=allow (--var WEBHOOK_LOOPBACK:allow)."
      : "Use an https:// URL with the public host name of your webhook.";
  return refuse("webhook-url-rejected", fault.detail, { hint });
}
