/** A socket of a module's object: the object's end, and what carries it to the client. */

import {
  attachmentText,
  CLOSED_WITHOUT_WORD,
  type Socket,
  type SocketEvents,
  type SocketLimits,
  type SocketMessage,
  type SocketOpening,
} from "@durable-streams-cloudflare/http/modules/socket";

import type { Gate } from "../reader.ts";

/** What an object with sockets does with them. */
export interface WithSockets {
  readonly events: SocketEvents;
  readonly limits: SocketLimits;
}

/** What carries messages to the client. */
export interface Carrier {
  send(message: string | Uint8Array): void;
  close(code: number, reason: string): void;
  /** Ends the connection without a word. */
  destroy(): void;
  /** Bytes that the system has not taken yet. */
  readonly bufferedBytes: number;
}

/** What is told of a socket. */
export interface SocketTold {
  /** A message has come. */
  onMessage(socket: ObjectSocket, message: SocketMessage): Promise<void>;
  /** The socket has ended, once. */
  onEnded(socket: ObjectSocket, code: number, reason: string): void;
}

/** Bytes that may wait for a client that does not read. One that has more is cut off. */
const BUFFER_BYTES_MAX = 4 * 1024 * 1024;
/** Of a socket whose answer has not been sent yet. */
const EARLY_MAX = 1_000;
/** An answer that takes longer will not be sent any more. */
const EARLY_MS_MAX = 30_000;

/** The server does not know any more what the object has told the client. */
export const SERVICE_RESTART = 1012;
const TOO_SLOW = 1013;

type Step = (carrier: Carrier) => void;

/** A socket. It stays while its object is not in memory. */
export class ObjectSocket implements Socket {
  /** The gate of the instance that uses the socket now. */
  gate: Gate;
  readonly tags: ReadonlySet<string>;
  /** The largest message that the client may send. */
  readonly messageBytesMax: number;
  readonly #told: SocketTold;
  #attachment: string;
  #carrier: Carrier | undefined;
  #early: Step[] = [];
  readonly #earlyTimer: NodeJS.Timeout;
  #isOpen = true;

  constructor({ attachment, tags }: SocketOpening, { messageBytesMax }: SocketLimits, gate: Gate, told: SocketTold) {
    this.#attachment = attachmentText(attachment);
    this.tags = new Set(tags);
    this.messageBytesMax = messageBytesMax;
    this.gate = gate;
    this.#told = told;
    this.#earlyTimer = setTimeout(() => this.ended(), EARLY_MS_MAX).unref();
  }

  get attachment(): unknown {
    return JSON.parse(this.#attachment) as unknown;
  }

  attach(attachment: unknown): void {
    this.#attachment = attachmentText(attachment);
  }

  send(message: string | Uint8Array<ArrayBuffer>): void {
    // It may leave later, and its owner may use the bytes again.
    const own = typeof message === "string" ? message : message.slice();
    this.#emit((carrier) => {
      carrier.send(own);
      if (carrier.bufferedBytes > BUFFER_BYTES_MAX) this.cut(TOO_SLOW, "The client does not read.");
    });
  }

  close(code = 1000, reason = ""): void {
    this.#emit((carrier) => carrier.close(code, reason));
  }

  /** The connection is there. What was sent before goes first. */
  carry(carrier: Carrier): void {
    clearTimeout(this.#earlyTimer);
    if (!this.#isOpen) return carrier.destroy();
    this.#carrier = carrier;
    for (const step of this.#early.splice(0)) step(carrier);
  }

  /** Closes the socket from outside of its object, whatever it was about to send. */
  end(code: number, reason: string): void {
    if (this.#carrier === undefined) this.cut(code, reason);
    else this.#carrier.close(code, reason);
  }

  /** Ends the connection at once. */
  cut(code: number, reason: string): void {
    this.#carrier?.destroy();
    this.ended(code, reason);
  }

  /** Sends something that says nothing of the object. */
  answer(message: string): void {
    if (this.#isOpen) this.#carrier?.send(message);
  }

  /** A message has come from the client. */
  async received(message: SocketMessage): Promise<void> {
    if (this.#isOpen) await this.#told.onMessage(this, message);
  }

  /** The connection has ended, or there will never be one. */
  ended(code = CLOSED_WITHOUT_WORD, reason = ""): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#early = [];
    clearTimeout(this.#earlyTimer);
    this.#told.onEnded(this, code, reason);
  }

  #emit(step: Step): void {
    if (!this.#isOpen) return;
    this.gate.emit(
      () => this.#take(step),
      () => this.end(SERVICE_RESTART, "The server lost what it had stored."),
    );
  }

  #take(step: Step): void {
    if (!this.#isOpen) return;
    if (this.#carrier !== undefined) return step(this.#carrier);
    this.#early.push(step);
    if (this.#early.length > EARLY_MAX) this.cut(TOO_SLOW, "The connection was not opened.");
  }
}
