/** Recognizes the hosts of a URL that are this machine itself. */

const LOOPBACK_V4 = /^127(?:\.\d{1,3}){3}$/;

/** @param hostname as `URL` has made it: lower case, addresses in their one notation. */
export function isLoopbackHost(hostname: string): boolean {
  const name = hostname.replace(/\.$/, "");
  return name === "localhost" || name.endsWith(".localhost") || name === "[::1]" || LOOPBACK_V4.test(name);
}

/** Whether a bearer token may be sent to a URL: nobody on the way can read it. */
export function isConfidential(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" || (protocol === "http:" && isLoopbackHost(hostname));
}

/** @param origin as browsers send it; `null`, and what is no URL of the web, are nobody's. */
export function isLoopbackOrigin(origin: string): boolean {
  return /^https?:\/\//i.test(origin) && URL.canParse(origin) && isLoopbackHost(new URL(origin).hostname);
}
