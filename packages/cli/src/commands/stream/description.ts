import { HEADER, isClosedHeader } from "@durable-streams-cloudflare/protocol";

import type { Server } from "../../server.ts";

/** The description of a stream in the headers of a response. */
export function descriptionOf({ headers }: Response) {
  return {
    contentType: headers.get("Content-Type"),
    nextOffset: headers.get(HEADER.nextOffset),
    closed: isClosedHeader(headers.get(HEADER.closed)),
    ttlSeconds: numberOf(headers.get(HEADER.ttl)),
    expiresAt: headers.get(HEADER.expiresAt),
    earliestOffset: headers.get(HEADER.earliestOffset),
    retentionSeconds: numberOf(headers.get(HEADER.retentionSeconds)),
    retentionBytes: numberOf(headers.get(HEADER.retentionBytes)),
  };
}

/** The content type of a stream. @throws CliError */
export async function contentTypeOf(server: Server, name: string): Promise<string> {
  const head = await server.send("HEAD", server.streamPath(name), { headers: server.authorization("read") });
  return head.headers.get("Content-Type") ?? "application/octet-stream";
}

function numberOf(header: string | null): number | null {
  return header === null ? null : Number(header);
}
