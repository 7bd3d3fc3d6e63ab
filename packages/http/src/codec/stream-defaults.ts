/** Applies a project's defaults to the creation of a stream, as if the request had sent them as headers. */

import type { StreamDefaults } from "@durable-streams-cloudflare/core/contracts/project-record";
import type { CreateCommand } from "@durable-streams-cloudflare/core/contracts/stream";
import { DEFAULT_HEADERS } from "@durable-streams-cloudflare/core/project/settings";
import { HEADER, type HeaderReader } from "@durable-streams-cloudflare/protocol";

type What = NonNullable<CreateCommand["byDefault"]>[number];

interface Group {
  readonly what: What;
  readonly names: readonly (keyof StreamDefaults)[];
  /** Who names any of these headers wants none of the defaults. */
  readonly headers: readonly string[];
}

const GROUPS: readonly Group[] = [
  { what: "contentType", names: ["contentType"], headers: ["Content-Type"] },
  { what: "lifetime", names: ["ttlSeconds"], headers: [HEADER.ttl, HEADER.expiresAt] },
  {
    what: "retention",
    names: ["retentionSeconds", "retentionBytes"],
    headers: [HEADER.retentionSeconds, HEADER.retentionBytes],
  },
];

/** Combines a request's headers with those that the defaults add, and parses what they say about the stream. */
export function withDefaults(
  header: HeaderReader,
  defaults: StreamDefaults,
): { readonly header: HeaderReader; readonly byDefault: readonly What[] } {
  const added = new Map<string, string>();
  const byDefault: What[] = [];
  for (const { what, names, headers } of GROUPS) {
    const set = names.filter((name) => (defaults[name] ?? null) !== null);
    if (set.length === 0 || headers.some((name) => header(name) !== null)) continue;
    byDefault.push(what);
    for (const name of set) added.set(DEFAULT_HEADERS[name], String(defaults[name]));
  }
  return { header: (name) => header(name) ?? added.get(name) ?? null, byDefault };
}
