/** The live readers of all streams. They stay while a stream's object is unloaded, as hibernating sockets do on Cloudflare. */

import type { ReaderBudget } from "@durable-streams-cloudflare/core/contracts/reader-slots";
import type { SocketList } from "@durable-streams-cloudflare/core/stream/read/live-readers";

import type { Instance } from "./instance.ts";
import type { Reader } from "./reader.ts";

/** The live readers of one server, by the full name of their stream. */
export class ReaderLists {
  readonly #byStream = new Map<string, Map<Reader, ReaderBudget>>();

  add(stream: string, reader: Reader, budget: ReaderBudget): void {
    const readers = this.#byStream.get(stream) ?? new Map<Reader, ReaderBudget>();
    readers.set(reader, budget);
    this.#byStream.set(stream, readers);
  }

  delete(stream: string, reader: Reader): void {
    const readers = this.#byStream.get(stream);
    readers?.delete(reader);
    if (readers?.size === 0) this.#byStream.delete(stream);
  }

  has(stream: string): boolean {
    return this.#byStream.has(stream);
  }

  /** Returns the list as one instance of a stream's object uses it: frames that the instance sends pass its output gate. */
  of(stream: string, instance: Instance): SocketList {
    return (kind) => {
      const readers = this.#byStream.get(stream);
      // What an instance knows that was dropped is of no use to anybody.
      if (readers === undefined || instance.storage.isOver) return [];
      for (const reader of readers.keys()) reader.gate = instance;
      // All of them are of this version.
      if (kind !== "public") return [...readers.keys()];
      return [...readers].flatMap(([reader, budget]) => (budget === "public" ? [reader] : []));
    };
  }
}
