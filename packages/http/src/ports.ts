/**
 * The ports that a host supplies to the edge: the objects by name, the registry of projects, and a way to finish work after the
 * response.
 */

import type { LiveFrame } from "@durable-streams-cloudflare/core/contracts/live-frame";
import type { ReaderAdmission } from "@durable-streams-cloudflare/core/contracts/reader-slots";
import type { StreamApi, AttachResult } from "@durable-streams-cloudflare/core/contracts/stream";
import type { OffsetRef, Result } from "@durable-streams-cloudflare/protocol";

/** What is needed of a request: a part of the Web's `Request`, which a host may pass as it is, or in a lighter form. */
export interface HttpRequest {
  readonly method: string;
  /** Absolute, and as it came: percent-encoding and dots untouched. */
  readonly url: string;
  readonly headers: { get(name: string): string | null };
  readonly body: ReadableStream<Uint8Array> | null;
  readonly bodyUsed: boolean;
  bytes(): Promise<Uint8Array>;
  /** Aborted when the client has gone. */
  readonly signal: Pick<AbortSignal, "addEventListener" | "removeEventListener">;
}

/** The objects of one kind. */
export interface Objects<Api> {
  getByName(name: string): Api;
}

/** What goes on after the answer. On Cloudflare it is a request's `ExecutionContext`. */
export interface Background {
  waitUntil(promise: Promise<unknown>): void;
}

export interface ReaderEvents {
  onFrame(frame: LiveFrame): void;
  /** `gone`: the stream was deleted or expired. `lost`: anything else; read on and attach again. */
  onEnd(reason: "gone" | "lost"): void;
}

/** A live reader's channel from the stream's object: typed frames and one ending. */
export interface ReaderChannel {
  /** Begins to deliver, once. Frames that came since the object attached the reader are delivered first. */
  listen(events: ReaderEvents): void;
  /** Lets go of the channel; no event comes after this. */
  close(): void;
}

/** @property channel there if and only if the reader stands at the tail of a stream that is open. */
export type Attachment = Result<{ readonly result: AttachResult; readonly channel: ReaderChannel | undefined }>;

/** The objects of streams. */
export interface StreamObjects extends Objects<StreamApi> {
  /** Attaches a live reader to a stream. */
  attach(name: string, from: OffsetRef, admission: ReaderAdmission): Promise<Attachment>;
  /**
   * Removes what the host has stored for an object, if it is damaged and the object cannot even start because of that; absent
   * where the host cannot.
   * @returns whether that was so.
   */
  removeDamaged?(name: string): Promise<boolean>;
  /** What the host calls the object, for its log. */
  idOf(name: string): string;
}

/** The registry of projects: what their objects publish for the edge. */
export interface RegistryNamespace {
  get(key: string): Promise<string | null>;
  put(key: string, value: string): Promise<void>;
  delete(key: string): Promise<void>;
  list(options: {
    readonly prefix: string;
    readonly cursor?: string | null;
    readonly limit?: number;
  }): Promise<
    | { readonly keys: readonly { readonly name: string }[]; readonly list_complete: true }
    | { readonly keys: readonly { readonly name: string }[]; readonly list_complete: false; readonly cursor: string }
  >;
}
