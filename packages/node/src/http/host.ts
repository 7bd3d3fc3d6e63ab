/** The host that a request is for. Node.js passes on whatever a client sends, and a URL is made from it. */

import type { IncomingHttpHeaders } from "node:http";

const HOST = /^[\w.-]+(?::\d{1,5})?$|^\[[\da-f:.]+\](?::\d{1,5})?$/i;
const AUTHORITY = /^https?:\/\/([^/?#]*)/i;

/** The host that was found valid last: nearly all requests are for one. */
let known = "localhost";

/** Whether a text is a host with or without a port: nothing in it may be taken for a path, a query or a user. */
export function isHost(text: string): boolean {
  if (text === known) return true;
  if (!HOST.test(text) || !URL.canParse(`http://${text}/`)) return false;
  known = text;
  return true;
}

/**
 * Returns the host that a request names, in this order: in its target [RFC 9112 §3.2.2], in the field that HTTP/2 has for it,
 * in the header `Host`. Clients of HTTP/1.0 may name none.
 */
export function hostOf({
  headers,
  url = "",
}: {
  readonly headers: IncomingHttpHeaders;
  readonly url?: string | undefined;
}): string {
  const [, named] = AUTHORITY.exec(url) ?? [];
  if (named !== undefined) return named;
  const authority = headers[":authority"];
  return typeof authority === "string" && authority !== "" ? authority : (headers.host ?? "localhost");
}
