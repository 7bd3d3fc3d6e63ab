/** Who holds a link to a source and until when: what is stored with a link, so that it can expire or be revoked. */
export interface Grant {
  /** The key that signed the token; `null`: there was none. */
  readonly kid: string | null;
  /** Whom the token was made for. */
  readonly user: string | null;
  /** When it ends, in ms; `null`: never by itself. */
  readonly expiresAtMs: number | null;
}

/** What a link has that was made before links remembered it. */
export const UNKNOWN_GRANT: Grant = { kid: null, user: null, expiresAtMs: null };

export function isSameGrant(a: Grant, b: Grant): boolean {
  return a.kid === b.kid && a.user === b.user && a.expiresAtMs === b.expiresAtMs;
}
