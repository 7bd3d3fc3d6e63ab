/**
 * Table `signing_keys`, in a project's object: the Ed25519 keys that sign its webhooks. Key: `kid`. Value: the private key
 * as JWK in JSON, when it was made, and when another took its place (ms; null: it signs now). A row is written by the
 * first webhook of a project and by rotations.
 */

import { firstRow, type Database } from "../../kit/database.ts";

const TABLE = `CREATE TABLE IF NOT EXISTS signing_keys (
  kid TEXT PRIMARY KEY,
  jwk TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  retired_at_ms INTEGER
) WITHOUT ROWID`;

/** Keys that are published at once. */
const KEYS_MAX = 64;

export interface SigningKeyRow {
  readonly kid: string;
  readonly jwk: string;
  readonly retiredAtMs: number | null;
}

/** All keys, the newest first. */
export function readSigningKeys(database: Database): SigningKeyRow[] {
  const table = "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'signing_keys'";
  if (firstRow(database, table) === undefined) return [];
  const sql = "SELECT kid, jwk, retired_at_ms FROM signing_keys ORDER BY created_at_ms DESC LIMIT ?";
  return database
    .all<{ kid: string; jwk: string; retired_at_ms: number | null }>(sql, KEYS_MAX)
    .map((row) => ({ kid: row.kid, jwk: row.jwk, retiredAtMs: row.retired_at_ms }));
}

/** The key signs from now on, and those before it no longer do. Forgets keys that were retired by `forgetBeforeMs`. */
export function insertSigningKey(
  database: Database,
  { kid, jwk }: Pick<SigningKeyRow, "kid" | "jwk">,
  nowMs: number,
  forgetBeforeMs: number,
): void {
  database.transaction(() => {
    database.run(TABLE);
    database.run("DELETE FROM signing_keys WHERE retired_at_ms <= ?", forgetBeforeMs);
    database.run("UPDATE signing_keys SET retired_at_ms = ? WHERE retired_at_ms IS NULL", nowMs);
    database.run("INSERT INTO signing_keys (kid, jwk, created_at_ms) VALUES (?, ?, ?)", kid, jwk, nowMs);
  });
}
