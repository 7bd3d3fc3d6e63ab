/** How a webhook is signed [PROTOCOL §7.1]. */

/** The text that is signed, but for the body, which follows it byte for byte. */
export function signaturePrefix(atMs: number): string {
  return `${Math.floor(atMs / 1000)}.`;
}

/** The value of `Webhook-Signature`. @param signature unpadded base64url. */
export function formatSignature(atMs: number, kid: string, signature: string): string {
  return `t=${Math.floor(atMs / 1000)},kid=${kid},ed25519=${signature}`;
}
