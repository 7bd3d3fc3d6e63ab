/**
 * Decides to which URLs the server sends requests on behalf of a tenant: webhooks, and an issuer's key set [PROTOCOL
 * §12.8]. All of them share one guard and one list of addresses that are not public. A Worker cannot resolve names, so the
 * rules judge the URL's text: public names and public addresses, in any notation, by HTTPS on its default port. The address
 * behind a public name is checked where the connection is made: by Cloudflare's network, by the Node.js host, or on workerd
 * by the launcher's `network` service.
 */

import { isLoopbackHost } from "./loopback.ts";

/** Names that are no public ones, with all that end in them. */
const PRIVATE_SUFFIXES: ReadonlySet<string> = new Set([
  // Reserved [RFC 2606, 6761, 6762, 7686, 8375, 9476], or kept for private use by ICANN.
  ..."localhost local test invalid onion alt arpa internal".split(" "),
  // Not delegated, because so many networks use them [RFC 6762, appendix G].
  ..."intranet private corp home lan localdomain domain mail localnet workgroup".split(" "),
  // Of the resolvers inside clusters.
  ..."svc cluster consul nomad docker k8s kube kubernetes dns mesos marathon".split(" "),
  // Of other overlays.
  ..."i2p bit exit zkey".split(" "),
]);

/** IPv4 addresses that are not public: [network, bits]. */
const PRIVATE_NETWORKS: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  // Azure's metadata and name servers, though the address is a public one.
  ["168.63.129.16", 32],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
];

const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;
const DEVELOPMENT_V4 = /^127\.0\.0\.\d{1,3}$/;

export interface OutboundRules {
  /** Whether this machine may be reached, also by plain HTTP. */
  readonly allowsLoopback: boolean;
  /** Hosts, with their ports, of this server: requests to itself could loop. */
  readonly ownHosts?: readonly string[];
}

export interface OutboundFault {
  readonly detail: string;
  /** The URL leads to this machine, which only its operator can allow. */
  readonly isLoopback?: true;
}

/** Why nothing is sent to a URL; `undefined` when it is. */
export function faultOfUrl(text: string, { allowsLoopback, ownHosts = [] }: OutboundRules): OutboundFault | undefined {
  const url = parseUrl(text);
  if (url === undefined) return { detail: "The URL is malformed." };
  if (url.username !== "" || url.password !== "") return { detail: "The URL contains a user name or a password." };
  if (ownHosts.some((own) => isSameHost(own, url))) return { detail: "The URL points back to this server." };
  // The parser has made one form of all notations: lower case, and dotted decimals of 0x7f.1 and 2130706433.
  const host = url.hostname;
  if (isDevelopmentHost(host)) {
    const isHttp = url.protocol === "http:" || url.protocol === "https:";
    return allowsLoopback && isHttp ? undefined : { detail: "The URL points to this machine.", isLoopback: true };
  }
  if (url.protocol !== "https:") return { detail: "The URL does not use HTTPS." };
  if (url.port !== "") return { detail: "The URL contains a port." };
  if (host.startsWith("[")) return { detail: "The URL contains an IPv6 address; use a host name." };
  if (IPV4.test(host)) return isPrivate(host) ? { detail: "The URL points to a private address." } : undefined;
  return isPublicName(host) ? undefined : { detail: "The URL points to a private host name." };
}

/** Whether a URL is by plain HTTP or HTTPS of this machine itself, by one of the names that may be allowed. */
export function isDevelopmentUrl(text: string): boolean {
  const url = parseUrl(text);
  return url !== undefined && isDevelopmentHost(url.hostname);
}

/** This machine has many names: with the same port they are all the same. */
function isSameHost(own: string, url: URL): boolean {
  const ownUrl = new URL(`${url.protocol}//${own}`);
  const areLoopback = isLoopbackHost(ownUrl.hostname) && isLoopbackHost(url.hostname);
  return areLoopback ? ownUrl.port === url.port : withoutDot(ownUrl.host) === withoutDot(url.host);
}

function parseUrl(text: string): URL | undefined {
  // The parser would pass over spaces and line breaks; nobody who means well writes them.
  if (/[\s\\]/.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text);
}

/** The exception of the specification, and nothing more: neither `[::1]` nor `127.1.2.3`. */
function isDevelopmentHost(host: string): boolean {
  return host === "localhost" || DEVELOPMENT_V4.test(host);
}

function isPublicName(host: string): boolean {
  const labels = withoutDot(host).split(".");
  return labels.length > 1 && !labels.includes("") && !PRIVATE_SUFFIXES.has(labels.at(-1) ?? "");
}

/** A dot at the end of a name, before the port, does not make it another name. */
function withoutDot(host: string): string {
  return host.replace(/\.(?=:\d+$|$)/, "");
}

/** Whether an IPv4 address, in dotted decimals, is not a public one. */
export function isPrivate(address: string): boolean {
  const bits = numberOf(address);
  return PRIVATE_NETWORKS.some(([network, length]) => (bits ^ numberOf(network)) >>> (32 - length) === 0);
}

function numberOf(address: string): number {
  return address.split(".").reduce((value, part) => (value << 8) | Number(part), 0);
}
