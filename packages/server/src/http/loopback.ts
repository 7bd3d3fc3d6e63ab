/** Names and addresses by which a machine reaches itself. */

/** @param hostname as in a URL, without its port: an IPv6 address is in brackets. */
export function isLoopbackHostname(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/\.$/, "");
  // Resolvers give `localhost` and all names below it loopback addresses only [RFC 6761].
  return name === "localhost" || name.endsWith(".localhost") || name === "[::1]" || /^127(\.\d{1,3}){3}$/.test(name);
}

/** @param origin as browsers send it; `null` and what is no URL are nobody's. */
export function isLoopbackOrigin(origin: string): boolean {
  if (!/^https?:\/\//i.test(origin)) return false;
  try {
    return isLoopbackHostname(new URL(origin).hostname);
  } catch {
    return false;
  }
}
