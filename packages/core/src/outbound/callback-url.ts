/**
 * Checks the URL for a webhook's callbacks. A webhook is given a bearer token for it, so the URL must work, and nobody on the
 * way may be able to read the token.
 */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import { isConfidential } from "./loopback.ts";

/**
 * Why a webhook must not be given a callback at a URL; `undefined` when it may.
 * @param isKnown whether the server's configuration, its proxy or its platform vouches for the URL's host.
 */
export function refuseCallback(url: string, isKnown: boolean): Refusal | undefined {
  if (isKnown && isConfidential(url)) return undefined;
  return refuse(
    "public-url-required",
    `The callback URL that webhooks would get is not safe: ${new URL(url).origin}.`,
    {
      hint: "Set PUBLIC_URL to the https URL of this server, such as https://streams.example.com.",
    },
  );
}
