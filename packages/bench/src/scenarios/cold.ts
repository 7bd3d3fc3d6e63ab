/** Reads a long stream that is mostly cold from its beginning, with several readers at the same time. */
import { setTimeout as delay } from "node:timers/promises";

import { interleave } from "../interleave.ts";
import { median, spreadOf } from "../statistics.ts";
import { NODE, REFERENCE_IN_MEMORY, WORKERD } from "../targets/index.ts";
import { formatCount, formatRatio, formatSpread } from "../units.ts";
import type { Scenario } from "./scenario.ts";
import { appendTo, createStream } from "./streams.ts";

const HEADERS = { "Content-Type": "application/octet-stream" };
const MEGABYTE = 1_000_000;
const READERS = 8;
const APPENDS = 125;
const APPEND_BYTES = 8 * MEGABYTE;
/** More than the time that the last segment needs to become cold. */
const SETTLE_MS = 5_000;

export const COLD: Scenario = {
  summary: "eight catch-up reads of 1 GB at once; takes a minute or two",
  budget: { preparation: 60, measurements: 1 },
  targets: [NODE, WORKERD, REFERENCE_IN_MEMORY],
  run: async ({ driver, targets, rounds }) => {
    const body = "x".repeat(APPEND_BYTES);
    for (const { url } of targets) {
      await createStream(`${url}/v1/stream/cold`, HEADERS);
      for (let count = 0; count < APPENDS; count += 1) await appendTo(`${url}/v1/stream/cold`, HEADERS, body);
    }
    await delay(SETTLE_MS);
    const results = await interleave(targets, rounds, async ({ kind, url }) => {
      const result = await driver.run({
        urls: [`${url}/v1/stream/cold?offset=-1`],
        method: "GET",
        headers: {},
        body: "",
        connections: READERS,
        warmUpMs: 0,
        measureMs: 0,
      });
      if (result.bodyBytes !== result.requests * APPENDS * APPEND_BYTES) {
        throw new Error(`${kind.name} sent ${result.bodyBytes} bytes in ${result.requests} reads`);
      }
      return result.bodyBytes / MEGABYTE / result.seconds;
    });
    const rates = new Map([...results].map(([{ kind }, of]) => [kind, of]));
    const reference = median(rates.get(REFERENCE_IN_MEMORY) ?? []);
    return [
      {
        title: `${READERS} catch-up reads of 1 GB at once`,
        about: `A stream of ${APPENDS} appends of ${APPEND_BYTES} bytes. Without the end, it is in cold segments: in files on the engine node, in (simulated) R2 on workerd.`,
        columns: ["Target", "MB/s in total", "Spread", "× reference, in memory"],
        rows: [...rates].map(([kind, of]) => [
          kind.name,
          formatCount(median(of)),
          formatSpread(spreadOf(of)),
          formatRatio(median(of) / reference),
        ]),
        bars: [],
      },
    ];
  },
};
