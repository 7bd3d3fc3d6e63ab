/**
 * The URL by which clients reach this server: the one place that makes absolute URLs. In this order:
 *
 * - `PUBLIC_URL`, if it is set.
 * - The proxy's `X-Forwarded-Proto` and `X-Forwarded-Host`, or `Forwarded`. These count only with `ORIGIN_SECRET`, because
 *   then `behindProxy` has admitted only the proxy's requests. From anyone else these headers are ignored.
 * - The request's own URL. By HTTPS its host is proven, because a platform that ends TLS routes by it. By plain HTTP any
 *   client can send any host, so only a loopback host counts; so it is where the server itself ends TLS (`isHostClaimed`).
 */

import type { Config } from "@durable-streams-cloudflare/core/config";
import { isLoopbackHost } from "@durable-streams-cloudflare/core/outbound/loopback";

import type { HttpRequest } from "../ports.ts";

/** The settings that the base URL depends on. */
export type PublicUrlConfig = Pick<Config, "publicUrl" | "originSecret">;

/** The base of the server's absolute URLs, for one request. */
export interface PublicBase {
  /** Scheme and host, and possibly a path; without a trailing slash. */
  readonly url: string;
  /** Whether the URL is known to reach the server from outside. Otherwise it is only what this client has claimed. */
  readonly isKnown: boolean;
}

/** A name, an IPv4 address or an IPv6 address in brackets, perhaps with a port. */
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;
const SCHEME = /^https?$/i;

/** Determines the base URL by the rules above. */
export function publicBaseOf(request: HttpRequest, { publicUrl, originSecret }: PublicUrlConfig): PublicBase {
  if (publicUrl !== "") return { url: publicUrl, isKnown: true };
  const seen = new URL(request.url);
  const { mountPath = "", isHostClaimed = false } = request;
  const isHostProven = seen.protocol === "https:" && !isHostClaimed;
  if (originSecret !== "") return { url: forwardedOrigin(request.headers, seen) + mountPath, isKnown: true };
  return { url: seen.origin + mountPath, isKnown: isHostProven || isLoopbackHost(seen.hostname) };
}

/**
 * The URL of a path for a client: absolute if the host is known, otherwise the path alone, which the client resolves against
 * the URL of its request.
 * @param path percent-encoded, with a leading slash; may include a query.
 */
export function publicUrlOf(request: HttpRequest, config: PublicUrlConfig, path: string): string {
  const { url, isKnown } = publicBaseOf(request, config);
  return (isKnown ? url : (request.mountPath ?? "")) + path;
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
