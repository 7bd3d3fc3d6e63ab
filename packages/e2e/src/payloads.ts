/** Data to send and compare: the same on every run, and without a pattern in which a lost or doubled chunk could hide. */
import { createCipheriv, createHash } from "node:crypto";

export const MIB = 1024 * 1024;

export function bytesOf(size: number): Uint8Array<ArrayBuffer> {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, 1), Buffer.alloc(16));
  return new Uint8Array(cipher.update(Buffer.alloc(size)));
}

export interface Message {
  readonly n: number;
  readonly text: string;
}

/** Messages of about 1 KiB. */
export function messagesOf(count: number): readonly Message[] {
  const text = Buffer.from(bytesOf(count * 720)).toString("base64");
  return Array.from({ length: count }, (_, n) => ({ n, text: text.slice(n * 960, (n + 1) * 960) }));
}

/** Two large values are compared by this, because a difference of megabytes helps nobody. */
export function digest(value: Uint8Array | readonly Message[]): string {
  const bytes = value instanceof Uint8Array ? value : JSON.stringify(value);
  return createHash("sha256").update(bytes).digest("hex");
}

export function* slices<Item>(items: readonly Item[], size: number): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
