/** Core's segment store in a bucket of any store that speaks S3. */

import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";

import { textBody, textOf, type S3Client, type S3Limits } from "./s3-client.ts";
import { errorOfAnswer, S3Error } from "./s3-error.ts";
import { s3Key } from "./s3-keys.ts";
import { deletionOf, keysIn, textIn } from "./s3-xml.ts";
import { withUploadFile, type Upload } from "./upload-file.ts";

/** The caller gives up an upload after as long. */
const PUT: S3Limits = { tries: 4, timeoutMs: 120_000 };
/** The reader itself tries again. */
const GET: S3Limits = { tries: 1, timeoutMs: 10_000 };
const LIST_MAX = "1000";

/**
 * Creates a segment store in a bucket.
 * @param root the folder of this machine in which uploads are prepared.
 */
export function s3Segments(client: S3Client, root: string): SegmentStore {
  const keyOf = (key: string): string => s3Key(client.settings.prefix, key);
  return {
    put: (key, size, chunks, signal) => put(client, root, keyOf(key), { size, chunks, signal }),
    get: (key, offset, length) => get(client, keyOf(key), offset, length),
    list: async (prefix) => {
      const inBucket = keyOf(prefix);
      return (await list(client, inBucket)).map((key) => prefix + key.slice(inBucket.length));
    },
    delete: (keys) => deleteAll(client, keys.map(keyOf)),
  };
}

/** A try whose answer was lost finds its own object: the caller then compares what is there. */
async function put(client: S3Client, root: string, key: string, upload: Upload): Promise<boolean> {
  return withUploadFile(root, upload, async (body) => {
    const response = await client.send({
      method: "PUT",
      key,
      headers: { "If-None-Match": "*", "Content-Type": "application/octet-stream" },
      body,
      accepts: [412],
      limits: PUT,
      signal: upload.signal,
    });
    await textOf(response);
    return response.status !== 412;
  });
}

async function get(
  client: S3Client,
  key: string,
  offset: number,
  length: number,
): Promise<ReadableStream<Uint8Array> | undefined> {
  if (length === 0) return new Response("").body ?? undefined;
  const headers = { Range: `bytes=${offset}-${offset + length - 1}` };
  const response = await client.send({ method: "GET", key, headers, accepts: [404], limits: GET });
  if (response.status === 206) return response.body ?? undefined;
  if (response.status === 404) {
    const xml = await textOf(response);
    if (textIn(xml, "Code") === "NoSuchKey") return undefined;
    throw errorOfAnswer(404, response.headers, xml, client.settings);
  }
  await response.body?.cancel();
  throw new S3Error("The S3 store of cold segments does not answer with the range that it is asked for.", {
    failure: "refused",
    fix: "use a store that supports ranges; check that no proxy before storage.s3_endpoint changes its answers",
  });
}

async function list(client: S3Client, prefix: string): Promise<readonly string[]> {
  const query = { "list-type": "2", "max-keys": LIST_MAX, prefix };
  const xml = await textOf(await client.send({ method: "GET", query }));
  const keys = keysIn(xml);
  if (xml.includes("<ListBucketResult") && keys.every((key) => key.startsWith(prefix))) return keys;
  throw new S3Error("The S3 store of cold segments did not answer with a list of objects.", {
    failure: "refused",
    fix: "correct storage.s3_endpoint: it must be the URL of a store that speaks S3",
  });
}

async function deleteAll(client: S3Client, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  const body = textBody(deletionOf(keys));
  const headers = { "Content-Type": "application/xml" };
  const response = await client.send({ method: "POST", query: { delete: "" }, headers, body });
  const xml = await textOf(response);
  const failed = [...xml.matchAll(/<Error>[^]*?<\/Error>/g)].map(([error]) => error);
  const other = failed.find((error) => textIn(error, "Code") !== "NoSuchKey");
  // The status says nothing about the single objects.
  if (other !== undefined) throw errorOfAnswer(403, response.headers, other, client.settings);
  if (!xml.includes("<DeleteResult")) throw errorOfAnswer(500, response.headers, xml, client.settings);
}
