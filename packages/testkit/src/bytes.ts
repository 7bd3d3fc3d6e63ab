type Bytes = Uint8Array<ArrayBuffer>;

export function utf8(text: string): Bytes {
  return Uint8Array.from(new TextEncoder().encode(text));
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function concatBytes(chunks: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Bytes in which no two places look alike for long, so that a shift or a hole shows. */
export function patternBytes(size: number, salt = 0): Bytes {
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index += 1) bytes[index] = ((index * 2_654_435_761) >>> 13) ^ (index >>> 8) ^ salt;
  return bytes;
}
