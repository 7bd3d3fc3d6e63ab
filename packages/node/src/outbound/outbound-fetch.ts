/**
 * Sends webhooks and requests for key sets. A host name may resolve to any address, which is known only when the connection is
 * made, so the addresses are checked between resolving and connecting: a name that leads into the operator's own network is
 * refused. What a URL may say is decided before (`url-guard.ts`), so a literal address needs no second check.
 */

import { lookup as resolve, type LookupAddress } from "node:dns";
import { Agent as HttpAgent, request as requestHttp, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";
import { Readable } from "node:stream";

import type { Fetch } from "@durable-streams-cloudflare/http/outbound/bounded-fetch";

import { isPublicAddress } from "./public-address.ts";

/** Finds all addresses of a host name. */
export type Resolve = (
  hostname: string,
  options: { readonly all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** Agents of our own: in those of the process there may be connections that nobody has checked. */
const AGENT_OPTIONS = { keepAlive: true, timeout: 10_000 };

const BODILESS_STATUSES = new Set([204, 205, 304]);

/**
 * Makes the function that sends requests.
 * @param addresses the setting `OUTBOUND_ADDRESSES`: whether private addresses may be reached.
 */
export function outboundFetch(addresses: "public" | "any", find: Resolve = resolve): Fetch {
  const lookup = addresses === "any" ? lookupWith(find, () => true) : lookupWith(find, isAllowed);
  const http = { agent: new HttpAgent(AGENT_OPTIONS), lookup };
  const https = { agent: new HttpsAgent(AGENT_OPTIONS), lookup };
  return (url, { method = "GET", headers, body, signal }) =>
    new Promise((succeed, reject) => {
      const target = new URL(url);
      const options: RequestOptions = {
        method,
        headers: headers as Record<string, string>,
        ...(signal ? { signal } : {}),
      };
      const onAnswer = (message: IncomingMessage): void => {
        try {
          succeed(toResponse(message));
        } catch (error) {
          message.destroy();
          reject(error);
        }
      };
      const request =
        target.protocol === "https:"
          ? requestHttps(target, { ...options, ...https }, onAnswer)
          : requestHttp(target, { ...options, ...http }, onAnswer);
      // After an abort, the reason of the signal says why.
      request.once("error", (error) => reject(signal?.aborted === true ? signal.reason : error));
      request.end(body as string | Uint8Array | undefined);
    });
}

/** `localhost` is this machine, if the URL may name it; every other name must be somebody else's. */
function isAllowed(hostname: string, address: string): boolean {
  return hostname === "localhost" ? address === "::1" || address.startsWith("127.") : isPublicAddress(address);
}

function lookupWith(find: Resolve, allows: (hostname: string, address: string) => boolean): LookupFunction {
  return (hostname, { all }, callback) =>
    find(hostname, { all: true }, (error, found) => {
      const allowed = error === null ? found.filter(({ address }) => allows(hostname, address)) : [];
      const [first] = allowed;
      const failure = error ?? new Error(`${hostname} has no public address.`);
      if (first === undefined) callback(failure, all === true ? [] : "", 0);
      else if (all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
}

function toResponse(message: IncomingMessage): Response {
  const status = message.statusCode ?? 0;
  if (BODILESS_STATUSES.has(status)) {
    message.resume();
    return new Response(null, { status });
  }
  return new Response(Readable.toWeb(message) as ReadableStream<Uint8Array<ArrayBuffer>>, { status });
}
