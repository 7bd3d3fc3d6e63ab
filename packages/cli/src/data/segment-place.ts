import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The URL of the bucket that has the cold segments of a data directory of the engine node; `undefined` where they are in the
 * directory itself.
 */
export function segmentPlace(dataDir: string): string | undefined {
  try {
    const record = JSON.parse(readFileSync(join(dataDir, "segment-store.json"), "utf8")) as Record<string, unknown>;
    return record["isUsed"] === true ? String(record["place"]) : undefined;
  } catch {
    return undefined;
  }
}
