/**
 * The few globals that core needs of a platform, all of them Web standards. Only core itself is compiled with this file:
 * whoever imports core brings the types of the platform that it runs on.
 */

declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>;
}

declare class TextDecoder {
  constructor(label?: string, options?: { readonly fatal?: boolean; readonly ignoreBOM?: boolean });
  decode(bytes?: Uint8Array | ArrayBuffer, options?: { readonly stream?: boolean }): string;
}

declare class URL {
  constructor(url: string, base?: string | URL);
  static canParse(url: string, base?: string): boolean;
  readonly href: string;
  readonly origin: string;
  readonly protocol: string;
  readonly username: string;
  readonly password: string;
  readonly host: string;
  hostname: string;
  readonly port: string;
  readonly pathname: string;
  readonly search: string;
  readonly hash: string;
}

declare class AbortSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
}

declare class AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

interface ReadableStreamBYOBReader {
  read(
    view: Uint8Array<ArrayBuffer>,
    options?: { readonly min?: number },
  ): Promise<{ readonly value?: Uint8Array<ArrayBuffer> | undefined; readonly done: boolean }>;
  cancel(): Promise<void>;
}

interface ReadableStream<Chunk> extends AsyncIterable<Chunk> {
  getReader(options: { readonly mode: "byob" }): ReadableStreamBYOBReader;
  cancel(reason?: unknown): Promise<void>;
}

interface CryptoKey {
  readonly type: string;
}

interface CryptoKeyPair {
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

interface JsonWebKey {
  readonly kty?: string;
}

type CryptoBytes = Uint8Array<ArrayBuffer> | ArrayBuffer;

declare const crypto: {
  getRandomValues<Bytes extends Uint8Array>(bytes: Bytes): Bytes;
  randomUUID(): string;
  readonly subtle: {
    digest(algorithm: string, bytes: CryptoBytes): Promise<ArrayBuffer>;
    generateKey(algorithm: string, extractable: boolean, usages: readonly string[]): Promise<CryptoKey | CryptoKeyPair>;
    exportKey(format: "jwk", key: CryptoKey): Promise<JsonWebKey>;
    importKey(
      format: "jwk" | "raw",
      key: JsonWebKey | CryptoBytes,
      algorithm: string | object,
      extractable: boolean,
      usages: readonly string[],
    ): Promise<CryptoKey>;
    sign(algorithm: string, key: CryptoKey, bytes: CryptoBytes): Promise<ArrayBuffer>;
    verify(algorithm: string, key: CryptoKey, signature: CryptoBytes, bytes: CryptoBytes): Promise<boolean>;
  };
};

declare function atob(text: string): string;
declare function btoa(text: string): string;
declare function structuredClone<Value>(value: Value): Value;
declare function setTimeout(callback: () => void, ms: number): object;
declare function clearTimeout(timer: object | undefined): void;
declare const console: { log(line: string): void; error(line: string): void; warn(line: string): void };
declare const performance: { now(): number };
