/**
 * `AUTH_MODE=none` with `OPEN_TO=loopback`: a server without tokens serves only programs on its own machine. It refuses
 * requests that a proxy forwards, and requests that web pages of other sites make a developer's browser send.
 */

import type { Config } from "@durable-streams-cloudflare/core/config";
import { isLoopbackHost, isLoopbackOrigin } from "@durable-streams-cloudflare/core/outbound/loopback";
import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import { allowsOrigin } from "../answers/cors.ts";
import { refusedAnswer } from "../answers/problem.ts";
import type { HttpRequest } from "../ports.ts";
import type { Serve } from "../routing/dispatch.ts";

/** What proxies add to the requests that they pass on. */
const PROXY_HEADERS = [
  "Forwarded",
  "Via",
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "X-Forwarded-Port",
  "X-Forwarded-Prefix",
  "X-Forwarded-Proto",
  "X-Forwarded-Server",
  "X-Real-IP",
];

const READING: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Serves requests from this machine, and refuses all others. */
export function onlyLoopback({ corsOrigins }: Pick<Config, "corsOrigins">, serve: Serve): Serve {
  return (incoming) => {
    const { request } = incoming;
    const refusal = refuseStranger(request, corsOrigins);
    return refusal === undefined ? serve(incoming) : refusedAnswer(request, refusal);
  };
}

/**
 * Refuses a request that is not from a program on this machine; `undefined` if it may be served.
 * @param request whose `url` contains the host that the client sent.
 */
export function refuseStranger(
  { method, url, headers }: Pick<HttpRequest, "method" | "url" | "headers">,
  corsOrigins: readonly string[],
): Refusal | undefined {
  const proxyHeader = PROXY_HEADERS.find((name) => headers.get(name) !== null);
  if (proxyHeader !== undefined) return refuseProxied(proxyHeader);
  const origin = originOf(url);
  if (origin !== servedOrigin) {
    const { hostname } = new URL(url);
    if (!isLoopbackHost(hostname) && isPublicName(hostname)) return refuseHost(hostname);
    servedOrigin = origin;
  }
  return READING.has(method) ? undefined : refuseOrigin(headers, corsOrigins);
}

/** The origin of the URL that was let through last: nearly all have the same, and to parse one takes microseconds. */
let servedOrigin: string | undefined;

/** What comes before the path of an absolute URL. */
function originOf(url: string): string {
  const pathAt = url.indexOf("/", url.indexOf("//") + 2);
  return pathAt < 0 ? url : url.slice(0, pathAt);
}

/**
 * A page whose name was made to point at this machine sends that name (DNS rebinding). Nobody can do so with an address, or
 * with a name without a dot, which no registry gives away: the name of a container, or of a host in the local network.
 */
function isPublicName(hostname: string): boolean {
  const isAddress = hostname.startsWith("[") || /^\d+(?:\.\d+){3}$/.test(hostname);
  return !isAddress && hostname.replace(/\.$/, "").includes(".");
}

/** What a page may not read it may send all the same, as far as no preflight is needed. */
function refuseOrigin(headers: HttpRequest["headers"], corsOrigins: readonly string[]): Refusal | undefined {
  const origin = headers.get("Origin");
  const isAllowed =
    origin === null
      ? headers.get("Sec-Fetch-Site") !== "cross-site"
      : isLoopbackOrigin(origin) || allowsOrigin(corsOrigins, origin);
  if (isAllowed) return undefined;
  return refuse(
    "origin-refused",
    "This server works without tokens, so it refuses writes from web pages of other origins.",
    {
      hint: `Allow the page's origin: --var CORS_ORIGINS:${origin === null || origin === "null" ? "*" : origin}`,
    },
  );
}

function refuseProxied(header: string): Refusal {
  return refuse(
    "unauthenticated",
    `With AUTH_MODE=none, requests that come through a proxy are refused (the request has the header ${header}).`,
    {
      hint: "Require tokens with --var AUTH_MODE:project, or give everybody full access with --var OPEN_TO:everybody",
      headers: { "WWW-Authenticate": "Bearer" },
    },
  );
}

function refuseHost(hostname: string): Refusal {
  return refuse(
    "host-refused",
    `With AUTH_MODE=none, the server answers requests to localhost only, not to ${hostname}.`,
    {
      hint: "Use http://localhost, require tokens with --var AUTH_MODE:project, or give everybody full access with --var OPEN_TO:everybody",
    },
  );
}
