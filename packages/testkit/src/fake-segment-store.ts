import { hash } from "node:crypto";

import { concatBytes } from "./bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;
/** A block begins with the SHA-256 of its rest. */
const DIGEST_BYTES = 32;

type Operation = "put" | "get" | "list" | "delete";

/**
 * What goes wrong with one call: `refused`, it has no effect; `lost`, it has its effect, but the caller gets an error;
 * `cut`, a body ends early; `damaged`, a bit of the body is another; `missing`, as if there were no such object; `held`, it
 * waits until `release`.
 */
export type StoreFault = "refused" | "lost" | "cut" | "damaged" | "missing" | "held";

interface FakeSegmentFile {
  read(target: Bytes, offset: number): Promise<number>;
  close(): Promise<void>;
  isIntact(block: Bytes, offset: number): boolean;
}

/** R2 in the shape of the server's port to it (`core/src/log/segment-store.ts`), in memory, with faults on demand. */
export class FakeSegmentStore {
  readonly objects = new Map<string, Bytes>();
  readonly calls: { readonly operation: Operation; readonly key: string }[] = [];
  /** Bodies that are neither read to their end nor given up. */
  openBodies = 0;
  /** Bytes of one chunk of a body. */
  chunkBytes = 1_000;
  readonly #faults: { readonly operation: Operation; readonly fault: StoreFault }[] = [];
  #held: (() => void)[] = [];
  /** There only where objects are read in place, as files are. It counts, and goes wrong, as a `get`. */
  readonly open?: (key: string) => Promise<FakeSegmentFile | undefined>;

  constructor(kind: "streams" | "files" = "streams") {
    if (kind === "files") this.open = (key) => this.#open(key);
  }

  /** The next call of that kind goes wrong like that; more of them queue up. */
  failNext(operation: Operation, fault: StoreFault): void {
    this.#faults.push({ operation, fault });
  }

  get heldCount(): number {
    return this.#held.length;
  }

  /** Lets go on what is held. */
  release(): void {
    for (const go of this.#held.splice(0)) go();
  }

  async put(key: string, size: number, chunks: AsyncIterable<Bytes>, _signal: AbortSignal): Promise<boolean> {
    const taken: Bytes[] = [];
    for await (const chunk of chunks) taken.push(chunk.slice());
    const fault = await this.#begin("put", key);
    if (this.objects.has(key)) return false;
    const whole = concatBytes(taken);
    if (whole.length !== size) throw new Error(`The object was announced with ${size} bytes, and has ${whole.length}.`);
    this.objects.set(key, whole);
    if (fault === "lost") throw new Error("The answer was lost.");
    return true;
  }

  async get(key: string, offset: number, length: number): Promise<ReadableStream<Uint8Array> | undefined> {
    const fault = await this.#begin("get", key);
    const object = this.objects.get(key);
    if (object === undefined || fault === "missing") return undefined;
    const body = object.slice(offset, offset + length);
    if (fault === "damaged") body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1;
    const end = fault === "cut" ? body.length >> 1 : body.length;
    let at = 0;
    this.openBodies += 1;
    const settle = (): void => void (this.openBodies -= 1);
    return new ReadableStream({
      type: "bytes",
      cancel: settle,
      pull: (controller) => {
        if (at < end) {
          controller.enqueue(body.slice(at, Math.min(end, at + this.chunkBytes)));
          at += this.chunkBytes;
          return;
        }
        settle();
        controller.close();
        controller.byobRequest?.respond(0);
      },
    });
  }

  async #open(key: string): Promise<FakeSegmentFile | undefined> {
    const fault = await this.#begin("get", key);
    const object = this.objects.get(key);
    if (object === undefined || fault === "missing") return undefined;
    this.openBodies += 1;
    return {
      read: async (target, offset) => {
        const end = fault === "cut" ? object.length >> 1 : object.length;
        const bytes = object.slice(offset, Math.min(end, offset + target.length, offset + this.chunkBytes));
        if (fault === "damaged") bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
        target.set(bytes);
        return bytes.length;
      },
      close: async () => void (this.openBodies -= 1),
      isIntact: (block) =>
        hash("sha256", block.subarray(DIGEST_BYTES), "buffer").equals(block.subarray(0, DIGEST_BYTES)),
    };
  }

  async list(prefix: string): Promise<readonly string[]> {
    await this.#begin("list", prefix);
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix)).slice(0, 1_000);
  }

  async delete(keys: readonly string[]): Promise<void> {
    const fault = await this.#begin("delete", keys[0] ?? "");
    for (const key of keys) this.objects.delete(key);
    if (fault === "lost") throw new Error("The answer was lost.");
  }

  async #begin(operation: Operation, key: string): Promise<StoreFault | undefined> {
    this.calls.push({ operation, key });
    const index = this.#faults.findIndex((candidate) => candidate.operation === operation);
    const fault = index < 0 ? undefined : this.#faults.splice(index, 1)[0]?.fault;
    if (fault === "held") await new Promise<void>((resolve) => this.#held.push(resolve));
    if (fault === "refused") throw new Error("The store is not there.");
    return fault;
  }
}
