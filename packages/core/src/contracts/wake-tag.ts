/**
 * The tag behind a wake's token, by which the edge rejects made-up tokens without calling any object. Its key is derived from a
 * secret of the project. Subscriptions and the edge add the tag to each token that they hand out; the subscription itself still
 * verifies the token.
 */

import { base64url, decodeJwt, decodeProtectedHeader } from "jose";

export const WAKE_TYPE = "wake+jwt";

/** No text that a JWT's signature covers has a space in it: none is ever taken for this. */
const KEY_LABEL = "durable-streams wake tags";
const JWT_PARTS = 3;
/** 32 bytes as base64url. */
const TAG = /^[\w-]{43}$/;
const TAGGED_LENGTH_MAX = 2_048 + 64;

/** The key that follows from a secret of the project. */
export async function wakeKeyOf(secret: CryptoKey): Promise<string> {
  return base64url.encode(new Uint8Array(await crypto.subtle.sign("HMAC", secret, encode(KEY_LABEL))));
}

/** @param key of `wakeKeyOf`. */
export async function tagWakeToken(token: string, key: string): Promise<string> {
  const { inner } = splitWakeToken(token);
  const tag = await crypto.subtle.sign("HMAC", await importKey(key), encode(inner));
  return `${inner}.${base64url.encode(new Uint8Array(tag))}`;
}

/** Whether the tag is the key's. */
export async function isTaggedBy(token: string, key: string): Promise<boolean> {
  const { inner, tag = "" } = splitWakeToken(token);
  return TAG.test(tag) && crypto.subtle.verify("HMAC", await importKey(key), decode(tag), encode(inner));
}

/** The subscription's own token, and the tag, if there is one. */
export function splitWakeToken(token: string): { readonly inner: string; readonly tag: string | undefined } {
  const parts = token.split(".");
  return {
    inner: parts.slice(0, JWT_PARTS).join("."),
    tag: parts.length === JWT_PARTS + 1 ? parts[JWT_PARTS] : undefined,
  };
}

/** What a wake's token says of itself, which nobody has verified; `undefined`: it is none. */
export function readWakeToken(token: string): { readonly subject: string; readonly expiresAtMs: number } | undefined {
  if (token.length > TAGGED_LENGTH_MAX) return undefined;
  try {
    const { inner } = splitWakeToken(token);
    const { sub, exp } = decodeJwt(inner);
    if (decodeProtectedHeader(inner).typ !== WAKE_TYPE || typeof sub !== "string" || typeof exp !== "number")
      return undefined;
    return { subject: sub, expiresAtMs: exp * 1000 };
  } catch {
    return undefined;
  }
}

function importKey(key: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", decode(key), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}

function decode(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(base64url.decode(text));
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}
