import { opendir, stat, statfs } from "node:fs/promises";
import { join } from "node:path";

import { single, type Metric } from "@durable-streams-cloudflare/http/metrics/metric";

interface Usage {
  readonly bytes: number;
  readonly files: number;
}

const PAUSE_MS_MIN = 60_000;
/** The pause after a measurement is at least this many times as long as the measurement. */
const PAUSE_FACTOR = 20;

/** Measures the size of a data directory. Each stream has a file, so measuring takes a while and runs in the background. */
export class DataUsage {
  readonly #dataDir: string;
  #latest: Usage | undefined;
  #nextAtMs = 0;
  #isMeasuring = false;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  /** Returns the last measurement, and starts a new one if that is too old. */
  latest(): Usage | undefined {
    if (!this.#isMeasuring && performance.now() >= this.#nextAtMs) void this.#measure();
    return this.#latest;
  }

  async #measure(): Promise<void> {
    this.#isMeasuring = true;
    const startedAtMs = performance.now();
    // A file may be removed while it is being counted; the next measurement comes soon.
    this.#latest = (await usageOf(this.#dataDir).catch(() => undefined)) ?? this.#latest;
    const endedAtMs = performance.now();
    this.#nextAtMs = endedAtMs + Math.max(PAUSE_MS_MIN, PAUSE_FACTOR * (endedAtMs - startedAtMs));
    this.#isMeasuring = false;
  }
}

/** Visits one directory and one file at a time. */
async function usageOf(directory: string): Promise<Usage> {
  let [bytes, files] = [0, 0];
  for await (const entry of await opendir(directory)) {
    const path = join(directory, entry.name);
    const found = entry.isDirectory() ? await usageOf(path) : { bytes: await bytesOf(path), files: 1 };
    bytes += found.bytes;
    files += found.files;
  }
  return { bytes, files };
}

async function bytesOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0; // Removed in the meantime.
  }
}

/** The size of the data, and the free space. */
export async function dataMetrics(dataDir: string, usage: Usage | undefined): Promise<readonly Metric[]> {
  const { bavail, bsize } = await statfs(dataDir);
  return [
    single("gauge", "durable_streams_data_bytes", "Total size in bytes of the data directory.", usage?.bytes),
    single("gauge", "durable_streams_data_files", "Number of files in the data directory.", usage?.files),
    single("gauge", "durable_streams_data_free_bytes", "Free bytes on its file system.", bavail * bsize),
  ];
}
