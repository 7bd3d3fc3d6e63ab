/**
 * The tokens of wakes [PROTOCOL §7.1, §12.9]. Each is signed with the subscription's own secret, for one wake, and expires
 * after the last possible lease of that wake.
 */

import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";
import { errors, jwtVerify, SignJWT } from "jose";

import { splitWakeToken, WAKE_TYPE } from "../contracts/wake-tag.ts";
import type { WakeRow } from "./tables/subscription-rows.ts";

const TOKEN_LENGTH_MAX = 2_048;

export interface WakeClaims {
  readonly wakeId: string;
  readonly generation: number;
}

export function signWakeToken(name: string, secret: string, { id, generation, endsAtMs }: WakeRow): Promise<string> {
  return new SignJWT({ sub: name, wake: id, gen: generation })
    .setProtectedHeader({ alg: "HS256", typ: WAKE_TYPE })
    .setExpirationTime(Math.ceil(endsAtMs / 1000))
    .sign(keyOf(secret));
}

export async function verifyWakeToken(
  name: string,
  secret: string,
  token: string,
  nowMs: number,
): Promise<Result<{ claims: WakeClaims }>> {
  if (token.length > TOKEN_LENGTH_MAX) return refuseWakeToken();
  try {
    const { payload } = await jwtVerify(splitWakeToken(token).inner, keyOf(secret), {
      algorithms: ["HS256"],
      typ: WAKE_TYPE,
      subject: name,
      requiredClaims: ["exp"],
      currentDate: new Date(nowMs),
    });
    const { wake, gen } = payload;
    if (typeof wake !== "string" || typeof gen !== "number") return refuseWakeToken();
    return { ok: true, claims: { wakeId: wake, generation: gen } };
  } catch (error) {
    if (error instanceof errors.JWTExpired) {
      return refuse("token-expired", "The token has expired.", { headers: CHALLENGE });
    }
    if (error instanceof errors.JOSEError) return refuseWakeToken();
    throw error;
  }
}

const CHALLENGE = { "WWW-Authenticate": 'Bearer error="invalid_token"' };

/** The same of a subscription that is not there. */
export function refuseWakeToken(): Refusal {
  return refuse("unauthenticated", "The token does not belong to this subscription.", { headers: CHALLENGE });
}

function keyOf(secret: string): Uint8Array {
  return new TextEncoder().encode(secret);
}
