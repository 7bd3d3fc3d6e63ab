import { explainOpenError, StorageError, TelemetryError } from "@durable-streams-cloudflare/node";

import { Failure } from "./failure.ts";

/**
 * @param dataDir `undefined`: nothing is stored on disk.
 * @returns what the operator is told when options do not fit, or the data directory cannot be used; other errors as they are.
 */
export function startFailure(dataDir: string | undefined, error: unknown): unknown {
  if (error instanceof TelemetryError) return new Failure(error.message, error.fix);
  const isExplained = error instanceof Failure || error instanceof StorageError;
  const explained = dataDir === undefined || isExplained ? error : explainOpenError(dataDir, error);
  return explained instanceof StorageError ? new Failure(explained.message, explained.fix) : error;
}
