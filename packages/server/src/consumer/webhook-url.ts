/**
 * Where webhooks may be sent [PROTOCOL §12.8]. A Worker cannot look up names, so the rules are about what the URL says:
 * public names and public addresses, in whatever notation, by HTTPS on its own port.
 */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

/** Names that are no public ones, with all that end in them. */
const PRIVATE_SUFFIXES = ["localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa", "test"];

/** IPv4 addresses that are not public: [network, bits]. */
const PRIVATE_NETWORKS: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
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
const LOOPBACK_V4 = /^127\.0\.0\.\d{1,3}$/;

/**
 * Why webhooks are not sent to a URL; `undefined` when they are.
 * @param allowsLoopback whether this machine may be reached, also by plain HTTP: in development.
 * @param ownHost host and port of this server: webhooks to itself could go round in circles.
 */
export function refuseWebhookUrl(text: string, allowsLoopback: boolean, ownHost: string): Refusal | undefined {
  const url = parseUrl(text);
  if (url === undefined) return rejected("It is no URL.");
  if (url.username !== "" || url.password !== "") return rejected("It has a user name or a password.");
  if (url.host === ownHost) return rejected("It leads back to this server.");
  // The parser has made one form of all notations: lower case, and dotted decimals of 0x7f.1 and 2130706433.
  const host = url.hostname;
  if (isLoopback(host)) {
    const isPlain = url.protocol === "http:" || url.protocol === "https:";
    return allowsLoopback && isPlain ? undefined : rejected("It leads to this machine.");
  }
  if (url.protocol !== "https:") return rejected("It is not HTTPS.");
  if (url.port !== "") return rejected("It names a port.");
  if (host.startsWith("[")) return rejected("It names an IPv6 address; use a host name.");
  if (IPV4.test(host)) return isPrivate(host) ? rejected("It leads to a private address.") : undefined;
  return isPublicName(host) ? undefined : rejected("It leads to a private name.");
}

function parseUrl(text: string): URL | undefined {
  // The parser would pass over spaces and line breaks; nobody who means well writes them.
  if (/[\s\\]/.test(text)) return undefined;
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** The exception of the specification, and nothing more: neither `[::1]` nor `127.1.2.3`. */
function isLoopback(host: string): boolean {
  return host === "localhost" || LOOPBACK_V4.test(host);
}

function isPublicName(host: string): boolean {
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  if (!name.includes(".")) return false;
  return !PRIVATE_SUFFIXES.some((suffix) => name === suffix || name.endsWith(`.${suffix}`));
}

function isPrivate(address: string): boolean {
  const bits = numberOf(address);
  return PRIVATE_NETWORKS.some(([network, length]) => (bits ^ numberOf(network)) >>> (32 - length) === 0);
}

function numberOf(address: string): number {
  return address.split(".").reduce((value, part) => (value << 8) | Number(part), 0);
}

function rejected(detail: string): Refusal {
  return refuse("webhook-url-rejected", detail, { hint: "Use https:// and the public name of your worker." });
}
