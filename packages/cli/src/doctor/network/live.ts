/** Probes of live reads on the deployed server. */

import { setTimeout as wait } from "node:timers/promises";

import { HEADER } from "@durable-streams-cloudflare/protocol";

import type { Finding } from "../check.ts";
import { fails, holds } from "./assumption.ts";
import { describeTimes, timesOf, type Deployment } from "./deployment.ts";
import { EventReader } from "./event-reader.ts";

const EVENTS = 20;
const POLLS = 10;
/** An answer that takes so much longer than the others waited for them. */
const QUEUED_MS = 2_000;
/** A long-poll is answered after at most 25 seconds, by default after 3. */
const POLL_LIMIT_MS = 60_000;

export async function probeSseTime(deployment: Deployment): Promise<Finding> {
  const stream = await deployment.makeStream();
  const events = await EventReader.open(deployment, stream);
  try {
    const times = await timesOf(EVENTS, async (index) => {
      const text = `event ${index}.`;
      const arrived = events.until(text);
      await deployment.append(stream, text);
      if (!(await arrived)) throw new Error(`The event ${index} did not arrive: the response ended.`);
    });
    return holds(`From sending an append to its event: ${describeTimes(times)}.`);
  } finally {
    await events.close();
  }
}

/** Also finds out whether the object, which may hibernate meanwhile, still knows its readers. */
export async function probeSseIdle(deployment: Deployment): Promise<Finding> {
  const stream = await deployment.makeStream();
  const events = await EventReader.open(deployment, stream);
  const seconds = Math.round(deployment.idleMs / 1000);
  try {
    const isCut = await Promise.race([events.ended().then(() => true), waitFor(deployment).then(() => false)]);
    if (isCut)
      return fails(
        `An SSE response without events ended within ${seconds} s.`,
        "set SSE_SESSION_SECONDS below the time after which the proxy ends idle responses",
      );
    const arrived = events.until("after the pause.");
    const startMs = performance.now();
    await deployment.append(stream, "after the pause.");
    if (!(await arrived)) return fails("An append did not reach a reader that had been idle.", "report this bug");
    const tookMs = Math.round(performance.now() - startMs);
    return holds(`A response stayed open for ${seconds} s without events; the next event arrived after ${tookMs} ms.`);
  } finally {
    await events.close();
  }
}

/** A cache that lets only one request through at a time would answer waiting readers one after another. */
export async function probeLongPollTogether(deployment: Deployment): Promise<Finding> {
  const stream = await deployment.makeStream();
  const { headers } = await deployment.send("HEAD", stream);
  const offset = headers.get(HEADER.nextOffset) ?? "-1";
  const startMs = performance.now();
  const polls = Array.from({ length: POLLS }, async () => {
    const response = await deployment.send("GET", stream, {
      query: { offset, live: "long-poll" },
      limitMs: POLL_LIMIT_MS,
    });
    await response.arrayBuffer();
    return performance.now() - startMs;
  });
  const times = (await Promise.all(polls)).sort((left, right) => left - right);
  const spread = (times.at(-1) ?? 0) - (times[0] ?? 0);
  if (spread <= QUEUED_MS) return holds(`${POLLS} long-polls without data: ${describeTimes(times)}.`);
  return fails(
    `${POLLS} long-polls for the same offset were answered over ${Math.round(spread)} ms: they waited for each other.`,
    "exclude requests with live=long-poll from the cache rule of the zone (docs/caching.md)",
  );
}

async function waitFor({ idleMs, signal }: Deployment): Promise<void> {
  await wait(idleMs, undefined, { signal });
}
