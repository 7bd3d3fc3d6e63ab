import {
  createHash,
  createHmac,
  createPrivateKey,
  createSecretKey,
  KeyObject,
  sign,
  timingSafeEqual,
  type JsonWebKeyInput,
} from "node:crypto";

type Method = "digest" | "importKey" | "sign" | "verify";

/**
 * Cryptography that is done at once. Node.js does it in other threads, which takes an unknown number of turns of the event
 * loop:
 * the same seed would not be the same run.
 * @returns what gives the real one back.
 */
export function installSimCrypto(): () => void {
  for (const [name, value] of Object.entries(METHODS)) {
    Object.defineProperty(crypto.subtle, name, { value, configurable: true });
  }
  return () => {
    for (const name of Object.keys(METHODS)) delete crypto.subtle[name as Method];
  };
}

const METHODS: Record<Method, (...args: never[]) => Promise<unknown>> = {
  digest: async (algorithm: string, bytes: Uint8Array) => bufferOf(createHash(algorithm).update(bytes).digest()),
  importKey: async (
    format: "jwk" | "raw",
    key: JsonWebKey | Uint8Array,
    algorithm: AlgorithmIdentifier,
    _isExtractable: boolean,
    usages: KeyUsage[],
  ) => {
    const material = format === "jwk" ? createPrivateKey({ key, format } as JsonWebKeyInput) : secretOf(key);
    return material.toCryptoKey(algorithm, true, usages);
  },
  sign: async (algorithm: AlgorithmIdentifier, key: CryptoKey, bytes: Uint8Array) =>
    bufferOf(nameOf(algorithm) === "HMAC" ? hmac(key, bytes) : sign(null, bytes, KeyObject.from(key))),
  verify: async (_algorithm: AlgorithmIdentifier, key: CryptoKey, signature: Uint8Array, bytes: Uint8Array) => {
    const expected = hmac(key, bytes);
    return expected.length === signature.length && timingSafeEqual(expected, signature);
  },
};

function hmac(key: CryptoKey, bytes: Uint8Array): Buffer {
  return createHmac("sha256", KeyObject.from(key)).update(bytes).digest();
}

function secretOf(key: JsonWebKey | Uint8Array): KeyObject {
  return createSecretKey(key as Uint8Array);
}

function nameOf(algorithm: AlgorithmIdentifier): string {
  return typeof algorithm === "string" ? algorithm : algorithm.name;
}

function bufferOf(bytes: Buffer): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
