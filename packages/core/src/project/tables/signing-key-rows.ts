/**
 * Table `signing_keys`, in a project's object: the Ed25519 keys that sign its webhooks. Key: `kid`. Value: the private key
 * as JWK in JSON, when it was made, and when another took its place (ms; null: it signs now). A row is written by the
 * first webhook of a project and by rotations.
 */

import type { Database } from "../../kit/database.ts";
import { integer, nullable, text } from "../../kit/sql/column.ts";
import { table } from "../../kit/sql/table.ts";

export const signingKeysTable = table({
  kind: "project",
  name: "signing_keys",
  columns: { kid: text(), jwk: text(), created_at_ms: integer(), retired_at_ms: nullable(integer()) },
  key: ["kid"],
});

const NEWEST = signingKeysTable.select(["kid", "jwk", "retired_at_ms"], {
  orderBy: "created_at_ms DESC",
  limit: "?",
});
const FORGET = signingKeysTable.delete("retired_at_ms <= ?");
const RETIRE = signingKeysTable.update("retired_at_ms = ?", "retired_at_ms IS NULL");
const INSERT = signingKeysTable.insert(["kid", "jwk", "created_at_ms"]);

/** Keys that are published at once. */
const KEYS_MAX = 64;

export interface SigningKeyRow {
  readonly kid: string;
  readonly jwk: string;
  readonly retiredAtMs: number | null;
}

/** All keys, the newest first. */
export function readSigningKeys(database: Database): SigningKeyRow[] {
  if (!database.tables.has(signingKeysTable)) return [];
  return database.all(NEWEST, KEYS_MAX).map((row) => ({ kid: row.kid, jwk: row.jwk, retiredAtMs: row.retired_at_ms }));
}

/** The key signs from now on, and those before it no longer do. Forgets keys that were retired by `forgetBeforeMs`. */
export function insertSigningKey(
  database: Database,
  { kid, jwk }: Pick<SigningKeyRow, "kid" | "jwk">,
  nowMs: number,
  forgetBeforeMs: number,
): void {
  database.transaction(() => {
    database.tables.create(signingKeysTable);
    database.run(FORGET, forgetBeforeMs);
    database.run(RETIRE, nowMs);
    database.run(INSERT, kid, jwk, nowMs);
  });
}
