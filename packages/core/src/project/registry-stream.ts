/**
 * Writes the stream `__registry__` of a project: an event of the State Protocol for each change of its directory, in the format
 * of the reference server, which stream browsers read. The directory is its only writer, as a producer whose sequence numbers
 * are stored with the changes, so each change is in the stream exactly once, whatever crashes. If the stream no longer knows
 * these numbers, it is written again from the whole directory.
 */

import {
  FOREVER,
  KEEP_ALL,
  type ProblemCode,
  type ProducerClaim,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { Database } from "../kit/database.ts";
import { markSent, readUnsent, type NumberedEvent } from "./tables/registry-event-rows.ts";

/** Sent at once; the alarm continues with the rest. */
const EVENTS_PER_ALARM = 256;
const PRODUCER_ID = "directory";
const JSON_TYPE = "application/json";

interface RegistryAppend {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
  readonly close: false;
  readonly producer: ProducerClaim;
}

/** The methods of a stream's object that are used here. */
export interface RegistryStream {
  create(command: {
    readonly contentType: string;
    readonly lifetime: typeof FOREVER;
    readonly retention: typeof KEEP_ALL;
    readonly closed: false;
    readonly bytes: Uint8Array<ArrayBuffer>;
  }): Promise<Result<object>>;
  appendAll(commands: readonly RegistryAppend[]): Promise<Result<object>[]>;
}

/** What a stream answers that has lost what its producer wrote, or is not the registry at all. */
const REJECTIONS: ReadonlySet<string> = new Set<ProblemCode>([
  "content-type-mismatch",
  "producer-epoch-stale",
  "producer-epoch-start",
  "producer-gap",
  "session-read-only",
  "stream-closed",
]);

/**
 * Sends the oldest changes.
 * @returns `rejected` when the stream will never take them: it is to be made anew.
 * @throws Error when they could not be sent, or it is not known whether they were.
 */
export async function notifyRegistry(
  database: Database,
  stream: () => RegistryStream,
): Promise<"notified" | "rejected"> {
  const events = readUnsent(database, EVENTS_PER_ALARM);
  const last = events.at(-1);
  if (last === undefined) return "notified";
  const commands = events.map(appendOf);
  const first = await stream().appendAll(commands);
  const results = first.some(isWithoutStream) ? await beginWith(stream(), commands) : first;
  const refused = results.find((result) => !result.ok);
  if (refused?.ok === false && REJECTIONS.has(refused.problem.code)) return "rejected";
  if (refused?.ok === false) throw new Error(`__registry__ refused an event: ${refused.problem.code}.`);
  markSent(database, last);
  return "notified";
}

async function beginWith(stream: RegistryStream, commands: readonly RegistryAppend[]): Promise<Result<object>[]> {
  const settings = { contentType: JSON_TYPE, lifetime: FOREVER, retention: KEEP_ALL, closed: false } as const;
  await stream.create({ ...settings, bytes: new Uint8Array() });
  return stream.appendAll(commands);
}

function isWithoutStream(result: Result<object>): boolean {
  return !result.ok && result.problem.code === "stream-not-found";
}

/** In stored form a JSON message has a comma behind it. */
function appendOf({ epoch, seq, ...event }: NumberedEvent): RegistryAppend {
  const bytes = new Uint8Array(new TextEncoder().encode(`${JSON.stringify(messageOf(event))},`));
  return { bytes, contentType: JSON_TYPE, close: false, producer: { id: PRODUCER_ID, epoch, seq } };
}

function messageOf({ name, contentType, atMs }: Omit<NumberedEvent, "epoch" | "seq">): object {
  if (contentType === null) return { type: "stream", key: name, headers: { operation: "delete" } };
  const value = { path: name, contentType, createdAt: atMs };
  return { type: "stream", key: name, value, headers: { operation: "insert" } };
}
