/**
 * The sockets of a module's objects. A handler opens one with `connect`, and the host hands it to an object. On Cloudflare it
 * hibernates: while nothing is sent, the object need not be in memory. In one Node.js process, too, a socket outlives the time
 * that its object is in memory. What must be known of it then is in its attachment.
 */

import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import type { Objects } from "../ports.ts";

/** What a socket carries: a text, or bytes. */
export type SocketMessage = string | ArrayBuffer;

/** An object's end of a socket. */
export interface Socket {
  /** Sends a message. It leaves when everything that the object has written so far is durable. */
  send(message: string | Uint8Array<ArrayBuffer>): void;
  /**
   * Closes the socket, in the order of what was sent before.
   * @param code 1000, or from 3000 to 4999.
   * @param reason at most 123 bytes.
   */
  close(code?: number, reason?: string): void;
  /** What the object keeps with the socket: JSON, at most 2 KiB. It begins as what `connect` was given. */
  readonly attachment: unknown;
  /** Replaces the attachment. */
  attach(attachment: unknown): void;
}

/** What an object does with its sockets. A promise that is returned is not waited for before the next message. */
export interface SocketEvents {
  /** Decides whether a socket is opened. Without it, each is. */
  admit?(opening: SocketOpening): Result<object> | Promise<Result<object>>;
  /** The socket has been opened. What is sent now comes first. */
  opened?(socket: Socket): void;
  message(socket: Socket, message: SocketMessage): void | Promise<void>;
  /** The socket has ended: whoever ended it, once, and 1006 if nobody said why. */
  closed?(socket: Socket, code: number, reason: string): void | Promise<void>;
}

/** The limits of a class of objects on their sockets. */
export interface SocketLimits {
  /** Sockets of one object at a time. More are refused with 503. */
  readonly max: number;
  /** The largest message from a client, in bytes. A larger one ends the socket with 1009. */
  readonly messageBytesMax: number;
  /** A text that is answered without the object, so that it stays asleep: a heartbeat. */
  readonly heartbeat?: { readonly request: string; readonly response: string };
}

/** How a socket is opened. */
export interface SocketOpening {
  /** What the object keeps with the socket: JSON, at most 2 KiB. */
  readonly attachment: unknown;
  /** By which the object finds its socket again: at most 10, each of at most 256 characters. */
  readonly tags: readonly string[];
}

/** A connection that a host turns into a socket when it sends the answer. */
export interface Upgrade {
  readonly protocol: string | undefined;
  /** The host's own: what the connection is handed to. */
  readonly end: unknown;
}

/** The objects of a module, as its routes call them. */
export interface ModuleObjects<Api extends object = object> extends Objects<Api> {
  /** Opens a socket to an object. The answer to the request must carry what it returns. */
  connect(name: string, opening: SocketOpening): Promise<Result<{ readonly end: unknown }>>;
}

/** The code of a socket that nobody has closed. */
export const CLOSED_WITHOUT_WORD = 1006;
export const MESSAGE_TOO_LARGE = 1009;
export const OBJECT_FAILED = 1011;

const ATTACHMENT_BYTES_MAX = 2_048;
const TAGS_MAX = 10;
const TAG_LENGTH_MAX = 256;

/**
 * The text of an attachment, in which every host keeps it.
 * @throws Error if it is too large.
 */
export function attachmentText(attachment: unknown): string {
  const text = JSON.stringify(attachment ?? null);
  if (byteLength(text) > ATTACHMENT_BYTES_MAX) {
    throw new Error(`The attachment of a socket may have at most ${ATTACHMENT_BYTES_MAX} bytes of JSON.`);
  }
  return text;
}

/** @throws Error if there are too many tags, or one is too long. */
export function checkTags(tags: readonly string[]): void {
  if (tags.length <= TAGS_MAX && tags.every(({ length }) => length <= TAG_LENGTH_MAX)) return;
  throw new Error(`A socket may have at most ${TAGS_MAX} tags, each of at most ${TAG_LENGTH_MAX} characters.`);
}

/** The size of a message in bytes. */
export function byteLength(message: SocketMessage): number {
  return typeof message === "string" ? new TextEncoder().encode(message).length : message.byteLength;
}

/** The refusal of a socket beyond the limit of its object. */
export function refuseMoreSockets({ max }: SocketLimits): Refusal {
  return refuse("sockets-full", `The object already has ${max} sockets.`, { headers: { "Retry-After": "5" } });
}
