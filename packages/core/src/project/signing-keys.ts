/** The keys that sign a project's webhooks [PROTOCOL §6.5]. The first is created when it is needed; later ones by rotation. */

import { refuse, type Result } from "@durable-streams-cloudflare/protocol";
import { calculateJwkThumbprint, type JWK } from "jose";

import type { PublicKey } from "../contracts/project.ts";
import type { SigningKey } from "../contracts/wakes.ts";
import type { Database } from "../kit/database.ts";
import { insertSigningKey, readSigningKeys } from "./tables/signing-key-rows.ts";

/**
 * How long a key is published that does not sign any more: a subscription may go on with it for a minute, its delivery may
 * take another two, and receivers accept signatures of the last minutes.
 */
export const RETIRED_KEY_MS = 3_600_000;
/** Rotations must not crowd out keys that are still needed. */
const KEYS_MAX = 16;

/** The key that signs now; the first call makes it. */
export async function signingKey(database: Database, now: () => number): Promise<SigningKey> {
  const known = currentKey(database);
  if (known !== undefined) return known;
  const made = await newKey();
  const current = currentKey(database);
  if (current !== undefined) return current;
  insertSigningKey(database, made, now(), now() - RETIRED_KEY_MS);
  return made;
}

/** Another key signs from now on. The old one is published until nothing that it signed can be accepted any more. */
export async function rotateSigningKey(database: Database, now: () => number): Promise<Result<{ kid: string }>> {
  const made = await newKey();
  if (publicKeys(database, now()).length >= KEYS_MAX) {
    return refuse("rate-limited", `At most ${KEYS_MAX} signing keys can be published at the same time.`, {
      headers: { "Retry-After": String(RETIRED_KEY_MS / 1000) },
    });
  }
  insertSigningKey(database, made, now(), now() - RETIRED_KEY_MS);
  return { ok: true, kid: made.kid };
}

/** The keys that verify webhooks, the newest first. Makes none. */
export function publicKeys(database: Database, nowMs: number): PublicKey[] {
  return readSigningKeys(database)
    .filter(({ retiredAtMs }) => retiredAtMs === null || nowMs < retiredAtMs + RETIRED_KEY_MS)
    .map(({ kid, jwk }) => {
      const { x = "" } = JSON.parse(jwk) as JWK;
      return { kty: "OKP", crv: "Ed25519", kid, use: "sig", alg: "EdDSA", x };
    });
}

function currentKey(database: Database): SigningKey | undefined {
  const key = readSigningKeys(database).find(({ retiredAtMs }) => retiredAtMs === null);
  return key && { kid: key.kid, jwk: key.jwk };
}

async function newKey(): Promise<SigningKey> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const { kty, crv, x, d } = (await crypto.subtle.exportKey("jwk", pair.privateKey)) as JWK;
  const jwk = { kty, crv, x, d } as JWK;
  return { kid: `ds_${await calculateJwkThumbprint(jwk)}`, jwk: JSON.stringify(jwk) };
}
