/**
 * The URL by which clients reach this server: the one place that makes absolute URLs. In this order:
 *
 * - `PUBLIC_URL`, if it is set.
 * - The proxy's `X-Forwarded-Proto` and `X-Forwarded-Host`, or `Forwarded`. These count only with `ORIGIN_SECRET`, because
 *   then `behindProxy` has admitted only the proxy's requests. From anyone else these headers are ignored.
 * - The request's own URL. By HTTPS its host is proven, because a platform that ends TLS routes by it. By plain HTTP any
 *   client can send any host, so only a loopback host counts.
 */

import type { Config } from "@durable-streams-cloudflare/core/config";
import { isLoopbackHost } from "@durable-streams-cloudflare/core/outbound/loopback";

import type { HttpRequest } from "../ports.ts";

export type PublicUrlConfig = Pick<Config, "publicUrl" | "originSecret">;

export interface PublicBase {
  /** Scheme and host, perhaps with a path; without a slash at its end. */
  readonly url: string;
  /** Whether that is how clients outside reach the server, rather than what this client has claimed. */
  readonly isKnown: boolean;
}

/** A name, an IPv4 address or an IPv6 address in brackets, perhaps with a port. */
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;
const SCHEME = /^https?$/i;

export function publicBaseOf(request: HttpRequest, { publicUrl, originSecret }: PublicUrlConfig): PublicBase {
  if (publicUrl !== "") return { url: publicUrl, isKnown: true };
  const seen = new URL(request.url);
  if (originSecret !== "") return { url: forwardedOrigin(request.headers, seen), isKnown: true };
  return { url: seen.origin, isKnown: seen.protocol === "https:" || isLoopbackHost(seen.hostname) };
}

/**
 * The URL of a path, as a client outside can use it: absolute, or the path alone while nobody vouches for a host. Clients
 * resolve the latter against the URL that they have asked.
 * @param path percent-encoded, with a slash in front; perhaps with a query.
 */
export function publicUrlOf(request: HttpRequest, config: PublicUrlConfig, path: string): string {
  const { url, isKnown } = publicBaseOf(request, config);
  return isKnown ? url + path : path;
}

/** A list has the client's view first. Whatever is malformed is passed over. */
function forwardedOrigin(headers: HttpRequest["headers"], seen: URL): string {
  const standard = parseForwarded(headers.get("Forwarded"));
  const scheme = firstFit(SCHEME, [headers.get("X-Forwarded-Proto"), standard.get("proto")]);
  const host = firstFit(HOST, [headers.get("X-Forwarded-Host"), standard.get("host")]);
  const origin = `${scheme ?? seen.protocol.slice(0, -1)}://${host ?? seen.host}`;
  return URL.canParse(origin) ? new URL(origin).origin : seen.origin;
}

function firstFit(pattern: RegExp, values: readonly (string | null | undefined)[]): string | undefined {
  const firsts = values.map((value) => value?.split(",", 1)[0]?.trim() ?? "");
  return firsts.find((first) => pattern.test(first));
}

/** The parameters of the first element of `Forwarded` [RFC 7239]. */
function parseForwarded(header: string | null): Map<string, string> {
  const [first = ""] = (header ?? "").split(",", 1);
  const pairs = first.split(";").map((pair) => pair.trim().split("=", 2));
  return new Map(pairs.map(([name = "", value = ""]) => [name.toLowerCase(), value.replace(/^"(.*)"$/, "$1")]));
}
