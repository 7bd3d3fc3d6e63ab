import type { FakeSegmentStore } from "./fake-segment-store.ts";

/** A socket of a live reader, seen from the object. */
export class FakeSocket {
  readonly messages: ArrayBuffer[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  bufferedAmount = 0;
  /** Set it, and the peer has gone away without a word. */
  isBroken = false;
  #attachment: number;

  /** Whether it is of a reader without a token. */
  readonly isPublic: boolean;

  constructor(position: number, isPublic = false) {
    this.#attachment = position;
    this.isPublic = isPublic;
  }

  send(message: ArrayBuffer): void {
    if (this.isBroken || this.closed !== undefined) throw new TypeError("The socket is closed.");
    this.messages.push(message);
  }

  close(code: number, reason: string): void {
    if (this.isBroken || this.closed !== undefined) throw new TypeError("The socket is closed already.");
    this.closed = { code, reason };
  }

  serializeAttachment(position: number): void {
    this.#attachment = position;
  }

  deserializeAttachment(): number {
    return this.#attachment;
  }
}

/** What a stream reports about itself. */
interface Notified {
  readonly stream: string;
  readonly incarnation: number;
  readonly tail: string;
}

/**
 * What an object supplies to its stream, on Node.js: the host survives while a test drops the stream and makes another
 * on it, which is what an eviction is.
 */
export class FakeHost<Readers, Peer, Stored extends { wipe(): void }> {
  /** Where cold segments go; `undefined` as in a Worker without the binding. */
  segments: FakeSegmentStore | undefined;
  /** Failures that the object has reported. */
  readonly reports: { readonly message: string; readonly error: unknown }[] = [];
  readonly name: string;
  readonly database: Stored;
  readonly readers: Readers;
  #sockets: FakeSocket[] = [];
  nowMs: number;
  /** Set it, and the object stores so much. */
  storedBytes = 0;
  alarmAtMs: number | undefined;
  alarmsSet = 0;
  /** The objects of other streams; a host alone has none. */
  peers: (name: string) => Peer = (name) => {
    throw new Error(`There is no object ${name}.`);
  };
  /** What subscriptions answer to a notification: whether they want more. `undefined`: no answer in time. */
  consumers: (consumer: string, notification: Notified) => boolean | undefined = () => false;
  #ids = 0;
  #draws = 0;
  #syncs: (() => Promise<void>)[] = [];

  constructor(
    makeReaders: (sockets: (of?: "public" | "ranges") => readonly FakeSocket[]) => Readers,
    database: Stored,
    nowMs: number,
    name = "project/stream",
  ) {
    this.name = name;
    this.database = database;
    this.nowMs = nowMs;
    this.readers = makeReaders((of) =>
      this.#sockets.filter(({ closed, isPublic }) => closed === undefined && (of !== "public" || isPublic)),
    );
  }

  databaseBytes(): number {
    return this.storedBytes;
  }

  now(): number {
    return this.nowMs;
  }

  nextTurn(): Promise<void> {
    return Promise.resolve();
  }

  sync(): Promise<void> {
    return this.#syncs.shift()?.() ?? Promise.resolve();
  }

  peer(name: string): Peer {
    return this.peers(name);
  }

  async notifySubscription(consumer: string, notification: Notified): Promise<boolean> {
    const isWanted = this.consumers(consumer, notification);
    if (isWanted === undefined) throw new Error(`${consumer} does not answer.`);
    return isWanted;
  }

  newId(): string {
    this.#ids += 1;
    return `${this.name}#${this.#ids}`;
  }

  /** The same for each run of a test, and of another host another. */
  random(): number {
    this.#draws += 1;
    let hash = 0;
    for (const character of `${this.name}#${this.#draws}`) {
      hash = Math.imul(hash ^ character.charCodeAt(0), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return (hash >>> 0) / 2 ** 32;
  }

  async purge(): Promise<void> {
    this.database.wipe();
    this.alarmAtMs = undefined;
  }

  setAlarm(atMs: number): void {
    this.alarmAtMs = atMs;
    this.alarmsSet += 1;
  }

  clearAlarm(): void {
    this.alarmAtMs = undefined;
  }

  report(message: string, error: unknown): void {
    this.reports.push({ message, error });
  }

  /** The next `sync` does this instead. */
  onSyncOnce(sync: () => Promise<void>): void {
    this.#syncs.push(sync);
  }

  /** A socket that stands at a position. */
  attach(position: number, isPublic = false): FakeSocket {
    const socket = new FakeSocket(position, isPublic);
    this.#sockets.push(socket);
    return socket;
  }

  /** The peer closes its end. */
  detach(socket: FakeSocket): void {
    this.#sockets = this.#sockets.filter((candidate) => candidate !== socket);
  }
}
