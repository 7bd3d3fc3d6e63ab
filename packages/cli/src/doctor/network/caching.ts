/** Probes of what stands between readers and the server: caches, and rules of the zone. */

import { HEADER } from "@durable-streams-cloudflare/protocol";

import type { Finding } from "../check.ts";
import { fails, holds } from "./assumption.ts";
import type { Deployment } from "./deployment.ts";

/** How often a read is repeated: caches have several nodes, and each may have a copy of its own. */
const READS = 5;

/** The headers of a HEAD that a read by GET need not have. */
const OF_HEAD = ["Content-Type", HEADER.nextOffset, HEADER.ttl] as const;

const METHOD_FIX = "make the cache rule of the zone match GET only (docs/caching.md)";

export async function probeHead(deployment: Deployment): Promise<Finding> {
  const stream = await deployment.makeStream();
  for (let append = 0; append < READS; append++) {
    const appended = await deployment.append(stream, `${append}\n`);
    const tail = appended.headers.get(HEADER.nextOffset);
    const { headers } = await deployment.send("HEAD", stream);
    const lacks = OF_HEAD.filter((name) => !headers.has(name));
    if (lacks.length > 0) return fails(`A response to HEAD lacks ${lacks.join(", ")}.`, METHOD_FIX);
    if (headers.get(HEADER.nextOffset) !== tail)
      return fails("A HEAD after an append answered an older end of the stream: it came from a cache.", METHOD_FIX);
  }
  return holds(`${READS} HEADs each answered the end of the stream as it was at that moment.`);
}

/** A stream that does not exist yet may exist a moment later. */
export async function probeErrorsUncached(deployment: Deployment): Promise<Finding> {
  const stream = deployment.newName();
  for (let read = 0; read < READS; read++) {
    if ((await deployment.refusalOf(stream, { offset: "-1" })) === undefined)
      return fails("A stream that does not exist could be read.", "report this bug");
  }
  await deployment.create(stream);
  await deployment.append(stream, "there");
  for (let read = 0; read < READS; read++) {
    const refusal = await deployment.refusalOf(stream, { offset: "-1" });
    if (refusal !== undefined)
      return fails(
        `A read of a stream that exists was refused with ${refusal}, as it was before the stream existed.`,
        "remove the rule that caches responses by their status; each response says itself whether it may be cached",
      );
  }
  return holds("A stream can be read at once after it has been created, although reads were refused before.");
}

/** Deleted data must not come back from a copy that a cache holds. */
export async function probeDeleted(deployment: Deployment): Promise<Finding> {
  const stream = await deployment.makeStream();
  await deployment.append(stream, "deleted soon");
  for (let read = 0; read < READS; read++) await deployment.read(stream);
  await deployment.delete(stream);
  for (let read = 0; read < READS; read++) {
    if ((await deployment.refusalOf(stream, { offset: "-1" })) === undefined)
      return fails(
        "A deleted stream could still be read from its beginning.",
        "remove the rule that lengthens cache lifetimes: edge TTL must respect the origin's headers (docs/caching.md)",
      );
  }
  await deployment.create(stream);
  await deployment.append(stream, "new");
  const text = await deployment.read(stream);
  if (text !== "new")
    return fails("A stream that was created again returned data of the deleted one.", "report this bug");
  return holds("Deleted data could not be read, nor did it return when the stream was created again.");
}

/** Compression on the way may change the transfer, never the bytes nor the headers of the protocol. */
export async function probeUnchanged(deployment: Deployment): Promise<Finding> {
  const stream = await deployment.makeStream("text/html");
  const page = `<!doctype html><p>a@example.com</p><script src="/x.js"></script>\r\n${"&nbsp;".repeat(2_000)}`;
  await deployment.append(stream, page, "text/html");
  const response = await deployment.send("GET", stream, {
    query: { offset: "-1" },
    headers: { "Accept-Encoding": "gzip, br" },
  });
  if ((await response.text()) !== page)
    return fails(
      "An HTML stream was changed on its way.",
      "turn off e-mail obfuscation, Rocket Loader and other rewriting for the host name of the server",
    );
  if (!response.headers.has(HEADER.nextOffset))
    return fails(`The header ${HEADER.nextOffset} was removed on the way.`, "remove the rule that drops headers");
  return holds("Bytes and headers arrived as the server sent them.");
}
