/**
 * Reader keys: an unguessable part of a stream's URL that all its readers share, so that a shared cache can keep the responses.
 * KV stores only the key's hash, so that access to KV gives no access to streams, and the incarnation of the stream: the key is
 * void for a later stream at the same URL.
 */

import { base64url } from "jose";

const PREFIX = "rk_";
const KEY_BYTES = 24;
const KEY_LENGTH = PREFIX.length + (KEY_BYTES / 3) * 4;

/** A key as KV stores it. */
export interface StoredReaderKey {
  readonly hash: string;
  readonly incarnation: number;
}

/** The text that KV holds. */
export function formatReaderKey({ hash, incarnation }: StoredReaderKey): string {
  return `${hash}.${incarnation}`;
}

/** `undefined`: the text is not a stored reader key. */
export function parseReaderKey(text: string): StoredReaderKey | undefined {
  const [, hash = "", incarnation = ""] = /^([\w-]{43})\.(\d{1,16})$/.exec(text) ?? [];
  return hash === "" ? undefined : { hash, incarnation: Number(incarnation) };
}

export function newReaderKey(): string {
  return PREFIX + base64url.encode(crypto.getRandomValues(new Uint8Array(KEY_BYTES)));
}

/** Random keys need no salt. */
export async function hashReaderKey(key: string): Promise<string> {
  return base64url.encode(new Uint8Array(await digest(key)));
}

/** Whether a text looks like a key. */
export function isReaderKeyForm(text: string): boolean {
  return text.length === KEY_LENGTH && text.startsWith(PREFIX);
}

export async function isReaderKey(key: string, hash: string): Promise<boolean> {
  return isReaderKeyForm(key) && isSameText(await hashReaderKey(key), hash);
}

/** Compares secrets in constant time, whatever their lengths. */
export async function isSameText(left: string, right: string): Promise<boolean> {
  const [leftHash, rightHash] = await Promise.all([digest(left), digest(right)]);
  return isSameBytes(new Uint8Array(leftHash), new Uint8Array(rightHash));
}

/** Looks at every byte, whatever the first ones are. */
function isSameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.reduce((difference, byte, index) => difference | (byte ^ (right[index] ?? 0)), 0) === 0;
}

function digest(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
}
