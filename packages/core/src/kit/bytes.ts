/** Concatenates chunks into a new array. */
export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(chunks.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

interface WithBase64 {
  toBase64?(): string;
}

/** A multiple of three, so that portions join without padding between them. */
const PORTION_BYTES = 3 * 8_192;

/** Base64 with padding, by the platform's own where it has one: Node.js gets it with version 25. */
export function toBase64(bytes: Uint8Array<ArrayBuffer>): string {
  return (bytes as WithBase64).toBase64?.() ?? inPortions(bytes);
}

/** A call takes only so many arguments. */
function inPortions(bytes: Uint8Array<ArrayBuffer>): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += PORTION_BYTES) {
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + PORTION_BYTES)));
  }
  return text;
}
