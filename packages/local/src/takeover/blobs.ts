/** What Miniflare keeps beside the objects: cold segments in R2, and the registry of projects in KV. */

import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";

import { Failure } from "../failure.ts";
import { objectId } from "./object-id.ts";
import { withRows, withSource } from "./source-database.ts";

/** A value, in a file of its own. */
interface Blob {
  readonly key: string;
  readonly path: string;
  /** MD5 of the value; `undefined`: none is recorded. */
  readonly etag: string | undefined;
}

const SERVICES = {
  r2: { namespace: "miniflare-R2BucketObject", query: "SELECT key, blob_id, etag FROM _mf_objects" },
  kv: { namespace: "miniflare-KVNamespaceObject", query: "SELECT key, blob_id, NULL AS etag FROM _mf_entries" },
} as const;

/** Lists the values of a service. @throws Failure if a value is missing. */
export function blobsOf(dataDir: string, service: keyof typeof SERVICES, workDir: string): Blob[] {
  const root = join(dataDir, service);
  const { namespace, query } = SERVICES[service];
  const stores = existsSync(root) ? readdirSync(root).filter((name) => !name.startsWith("miniflare-")) : [];
  return stores.flatMap((store) => {
    const database = join(root, namespace, `${objectId(namespace, store)}.sqlite`);
    if (!existsSync(database)) return [];
    const rows = withSource(database, { workDir }, (location) =>
      withRows(location, (opened) => opened.prepare(query).all()),
    );
    return rows.map((row): Blob => {
      const [key, path] = [String(row["key"]), join(root, store, "blobs", String(row["blob_id"]))];
      if (!existsSync(path)) throw missing(key, path);
      return { key, path, etag: typeof row["etag"] === "string" ? row["etag"] : undefined };
    });
  });
}

/** The text of a small value. */
export function textOf({ path }: Blob): string {
  return readFileSync(path, "utf8");
}

/** Copies a cold segment. @throws Failure if its bytes are not those that were stored. */
export async function copySegment(
  segments: SegmentStore,
  { key, path, etag }: Blob,
  signal: AbortSignal,
): Promise<void> {
  const md5 = createHash("md5");
  async function* chunks(): AsyncIterable<Uint8Array<ArrayBuffer>> {
    for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array<ArrayBuffer>>) {
      md5.update(chunk);
      yield chunk;
    }
  }
  await segments.put(key, statSync(path).size, chunks(), signal);
  if (etag !== undefined && md5.digest("hex") !== etag) {
    throw new Failure(`${path} is damaged. It is the cold segment ${key}.`, RESTORE);
  }
}

const RESTORE = "restore a backup of the directory, and take that over";

function missing(key: string, path: string): Failure {
  return new Failure(`${path} is missing. It is the value ${key}.`, RESTORE);
}
