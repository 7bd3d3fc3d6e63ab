/**
 * The ports that a host supplies to the edge: the objects by name, the registry of projects, and a way to finish work after the
 * response.
 */

import type { LiveFrame } from "@durable-streams-cloudflare/core/contracts/live-frame";
import type { ReaderAdmission } from "@durable-streams-cloudflare/core/contracts/reader-slots";
import type { StreamApi, AttachResult } from "@durable-streams-cloudflare/core/contracts/stream";
import type { OffsetRef, Result } from "@durable-streams-cloudflare/protocol";

/** The part of the Web's `Request` that is used here. A host passes a real `Request`, or a lighter object. */
export interface HttpRequest {
  readonly method: string;
  /** The absolute URL as received: percent-encoding and dot segments are unchanged. */
  readonly url: string;
  /**
   * The path that the server is mounted below in another application, percent-encoded and without a slash at its end. `url`
   * does not contain it, but the URLs that the server gives out do. Absent if the server is not mounted below a path.
   */
  readonly mountPath?: string;
  /** Whether the client may have made up the host of `url`, even by HTTPS: nothing in front of the server routes by it. */
  readonly isHostClaimed?: boolean;
  readonly headers: { get(name: string): string | null };
  /** Whether the host cannot turn the connection into a socket, although the request may ask for it. */
  readonly cannotUpgrade?: boolean;
  readonly body: ReadableStream<Uint8Array> | null;
  readonly bodyUsed: boolean;
  bytes(): Promise<Uint8Array>;
  /** Aborted when the client disconnects. */
  readonly signal: DisconnectSignal;
}

/** The part of an `AbortSignal` that is needed: a host may have something lighter. */
export interface DisconnectSignal {
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** The objects of one kind. */
export interface Objects<Api> {
  getByName(name: string): Api;
}

/** Work that continues after the answer. On Cloudflare, this is the request's `ExecutionContext`. */
export interface Background {
  waitUntil(promise: Promise<unknown>): void;
}

/** The events of a live reader's channel. */
export interface ReaderEvents {
  onFrame(frame: LiveFrame): void;
  /**
   * The channel has ended, once. `gone`: the stream was deleted or has expired. `lost`: anything else, after which the reader
   * catches up and attaches again.
   */
  onEnd(reason: "gone" | "lost"): void;
}

/** A live reader's channel from the stream's object: typed frames and one ending. */
export interface ReaderChannel {
  /**
   * Starts the delivery of events; may be called once. Frames that arrived since the reader was attached are delivered first.
   */
  listen(events: ReaderEvents): void;
  /** Closes the channel. No event follows. */
  close(): void;
}

/**
 * The result of attaching a live reader.
 * @property channel present if and only if the reader is at the tail of an open stream.
 */
export type Attachment = Result<{ readonly result: AttachResult; readonly channel: ReaderChannel | undefined }>;

/** The objects of streams. */
export interface StreamObjects extends Objects<StreamApi> {
  /** Attaches a live reader to a stream. */
  attach(name: string, from: OffsetRef, admission: ReaderAdmission): Promise<Attachment>;
  /**
   * Removes an object's stored data if it is so damaged that the object cannot start. Absent if the host cannot do that.
   * @returns whether the data was damaged and has been removed.
   */
  removeDamaged?(name: string): Promise<boolean>;
  /** The host's id of the object, for log lines. */
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
