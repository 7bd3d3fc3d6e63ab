/** The sockets of all objects of modules. They stay while an object is unloaded, as hibernating sockets do on Cloudflare. */

import type { Socket } from "@durable-streams-cloudflare/http/modules/socket";

import type { Instance } from "../instance.ts";
import { SERVICE_RESTART, type ObjectSocket } from "./object-socket.ts";

const NONE: ReadonlySet<ObjectSocket> = new Set();
const GOING_AWAY = 1001;
const CLOSING = "The server is closing.";

/** The sockets of one server, by the kind and name of their object. */
export class SocketLists {
  readonly #byObject = new Map<string, Set<ObjectSocket>>();
  readonly #closing = new Set<Promise<void>>();
  #count = 0;
  #isClosing = false;
  #onEmpty: (() => void) | undefined;

  get count(): number {
    return this.#count;
  }

  /** Whether no more sockets are opened. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  countOf(object: string): number {
    return this.#of(object).size;
  }

  add(object: string, socket: ObjectSocket): void {
    const sockets = this.#byObject.get(object) ?? new Set<ObjectSocket>();
    sockets.add(socket);
    this.#byObject.set(object, sockets);
    this.#count += 1;
  }

  /** @param told resolves when the object has been told that the socket has ended. */
  delete(object: string, socket: ObjectSocket, told: Promise<void>): void {
    const sockets = this.#of(object);
    if (!sockets.delete(socket)) return;
    if (sockets.size === 0) this.#byObject.delete(object);
    this.#count -= 1;
    this.#closing.add(told);
    void told.then(() => {
      this.#closing.delete(told);
      if (this.#count === 0 && this.#closing.size === 0) this.#onEmpty?.();
    });
  }

  /** Returns the list as one instance of the object uses it: what the instance sends passes its output gate. */
  of(object: string, instance: Instance): (tag?: string) => readonly Socket[] {
    return (tag) => {
      // What an instance knows that was dropped is of no use to anybody.
      if (instance.storage.isOver) return [];
      const sockets = [...this.#of(object)].filter(({ tags }) => tag === undefined || tags.has(tag));
      for (const socket of sockets) socket.gate = instance;
      return sockets;
    };
  }

  /** What the object has told its clients may be ahead of what is stored: they begin anew. */
  restart(object: string): void {
    for (const socket of this.#of(object)) socket.end(SERVICE_RESTART, "The server lost what it had stored.");
  }

  /**
   * Closes all sockets, and opens no more. Resolves when their objects have been told.
   * @param drainMs how long clients have to answer; after that their connections are cut.
   */
  async close(drainMs: number): Promise<void> {
    this.#isClosing = true;
    if (this.#count === 0 && this.#closing.size === 0) return;
    const emptied = new Promise<void>((resolve) => (this.#onEmpty = resolve));
    for (const socket of this.#all()) socket.end(GOING_AWAY, CLOSING);
    const timer = setTimeout(() => {
      for (const socket of this.#all()) socket.cut(GOING_AWAY, CLOSING);
    }, drainMs);
    if (this.#count > 0 || this.#closing.size > 0) await emptied;
    clearTimeout(timer);
  }

  #all(): readonly ObjectSocket[] {
    return [...this.#byObject.values()].flatMap((sockets) => [...sockets]);
  }

  #of(object: string): Set<ObjectSocket> {
    return this.#byObject.get(object) ?? (NONE as Set<ObjectSocket>);
  }
}
