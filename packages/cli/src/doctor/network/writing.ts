/** Probes of appends on the deployed server. */

import { createHash, randomBytes } from "node:crypto";

import type { Finding } from "../check.ts";
import { fails, holds } from "./assumption.ts";
import { describeTimes, timesOf, type Deployment } from "./deployment.ts";

const APPENDS = 30;
const WRITERS = 64;
/** Below the smallest limit that a deployment has by default. */
const LARGE_BYTES = 4 * 1024 * 1024;

/** Measures only; a slow answer is no error. */
export async function probeAppendTime(deployment: Deployment): Promise<Finding> {
  const stream = await deployment.makeStream();
  const times = await timesOf(APPENDS, async (index) => void (await deployment.append(stream, `${index}\n`)));
  const expected = Array.from({ length: APPENDS }, (_, index) => `${index}\n`).join("");
  if ((await deployment.read(stream)) !== expected)
    return fails("The appends of one writer were read back in another order, or some are missing.", "report this bug");
  return holds(`An append took: ${describeTimes(times)}.`);
}

/** Each append is sent once, so each must be stored once, whatever the runtime repeats behind the server's back. */
export async function probeConcurrentAppends(deployment: Deployment): Promise<Finding> {
  const stream = await deployment.makeStream("application/json");
  const numbers = Array.from({ length: WRITERS }, (_, index) => index);
  const startMs = performance.now();
  await Promise.all(numbers.map((number) => deployment.append(stream, String(number), "application/json")));
  const tookMs = Math.round(performance.now() - startMs);
  const stored = JSON.parse(await deployment.read(stream)) as number[];
  const missing = numbers.filter((number) => !stored.includes(number));
  if (missing.length > 0)
    return fails(`${missing.length} of ${WRITERS} acknowledged appends are missing.`, "report this bug");
  if (stored.length > WRITERS)
    return fails(`${stored.length - WRITERS} appends are stored twice, though each was sent once.`, "report this bug");
  return holds(`${WRITERS} appends at once took ${tookMs} ms together, and each is stored once.`);
}

/** Nothing on the way may change, cut or refuse a body of some megabytes. */
export async function probeLargeAppend(deployment: Deployment): Promise<Finding> {
  const type = "application/octet-stream";
  const stream = await deployment.makeStream(type);
  const sent = new Uint8Array(randomBytes(LARGE_BYTES));
  await deployment.append(stream, sent, type);
  const response = await deployment.send("GET", stream, { query: { offset: "-1" } });
  const read = new Uint8Array(await response.arrayBuffer());
  if (digest(read) === digest(sent)) return holds(`${LARGE_BYTES} bytes came back as they were sent.`);
  return fails(
    `${LARGE_BYTES} bytes were sent, and ${read.length} others came back.`,
    "turn off everything on the zone that rewrites bodies, such as e-mail obfuscation and Rocket Loader",
  );
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
