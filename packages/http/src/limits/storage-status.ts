/** Refuses writes when the host reports that its disk is full or faulty. On Cloudflare there is nothing to report. */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import type { HttpRequest } from "../ports.ts";

/** Why a host cannot store anything. */
export interface StorageFault {
  readonly isFull: boolean;
  /** What is wrong, for clients and operators. Contains no paths. */
  readonly detail: string;
  /** What to do about storage that is full, unless it is the disk. */
  readonly hint?: string;
}

/** A host's report on its disk. */
export interface StorageStatus {
  /**
   * Why nothing can be stored now; `undefined` if storing works. Called before each write and by each probe, so it must be
   * cheap.
   * @param bytes the number of bytes about to be stored; omitted by probes.
   */
  fault(bytes?: number): Promise<StorageFault | undefined>;
  /** Like `fault`, but checks the disk again instead of using a recent result. Called after a write has failed. */
  faultNow(): Promise<StorageFault | undefined>;
}

/** What frees space, or ends something that was begun, is let through: a little is kept for it. */
const STORING: ReadonlySet<string> = new Set(["PATCH", "POST", "PUT"]);
const ENDING = /\/(?:ack|callback|release)$/;

/** Refuses a request that would store something while nothing can be stored. */
export async function refuseStoring(
  storage: StorageStatus,
  request: Pick<HttpRequest, "method" | "headers" | "body">,
  path: string,
  bytesMax: number,
): Promise<Refusal | undefined> {
  const { method } = request;
  const isStoring = STORING.has(method) && !ENDING.test(path);
  // A host may have to make room for a deletion, so it is asked all the same.
  const fault = await storage.fault(isStoring ? bytesOf(request, bytesMax) : 0);
  if (fault === undefined || !isStoring) return undefined;
  const { isFull, detail } = fault;
  return isFull ? refuseFull(fault) : refuse("storage-unavailable", detail, { headers: RETRY_LATER });
}

/** What is answered to more bytes than there is room for. */
export function refuseFull({
  detail,
  hint = "Delete streams, or add disk space to the server.",
}: StorageFault): Refusal {
  return refuse("storage-full", detail, { hint, headers: RETRY_LATER });
}

/**
 * The refusal of a write that failed because of the disk.
 * @param error with which the write failed.
 * @throws `error` itself, if the disk is not the cause.
 */
export async function refuseFailedWrite(storage: StorageStatus, error: unknown): Promise<Refusal> {
  const fault = await storage.faultNow();
  if (fault === undefined) throw error;
  return refuse("unavailable", fault.detail, { headers: RETRY_LATER });
}

/** A body that does not say its size, or that is compressed, may be as large as one can be. */
function bytesOf(request: Pick<HttpRequest, "headers" | "body">, bytesMax: number): number {
  const { headers } = request;
  const length = headers.get("Content-Length");
  // HTTP/2 has no Transfer-Encoding: only the body itself says whether there is one.
  if (length === null && request.body === null) return OVERHEAD_BYTES;
  const isPlain = length !== null && headers.get("Content-Encoding") === null;
  return OVERHEAD_BYTES + (isPlain ? Math.min(Number(length), bytesMax) : bytesMax);
}

/** Pages of a database that a write touches, whatever its size. */
const OVERHEAD_BYTES = 4_096;

const RETRY_LATER = { "Retry-After": "5" };
