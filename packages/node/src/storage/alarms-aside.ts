/** Alarms of objects whose module the server does not have: they stay, and wait until it has the module again. */

import type { Engine } from "@durable-streams-cloudflare/core/kit/sql/engine";

/**
 * Takes the alarms of objects of unknown kinds out of the table `alarms`, and puts those of known kinds back into it. The cost
 * follows from the number of kinds and of such alarms, not from the number of objects.
 */
export function setAlarmsAside(engine: Engine, known: ReadonlySet<string>): void {
  for (let kind = nextKind(engine, ""); kind !== undefined; kind = nextKind(engine, kind)) {
    const [from, to] = known.has(kind) ? ["alarms_aside", "alarms"] : ["alarms", "alarms_aside"];
    // There are none aside unless a module was taken away, and then the server starts as it always does.
    if (engine.exec(`SELECT 1 AS found FROM ${from} LIMIT 1`).length === 0) continue;
    const ofKind = `o IN (SELECT a.o FROM ${from} a JOIN objects ON objects.o = a.o WHERE objects.kind = ?)`;
    engine.exec(`INSERT OR REPLACE INTO ${to} (o, at_ms) SELECT o, at_ms FROM ${from} WHERE ${ofKind}`, kind);
    engine.exec(`DELETE FROM ${from} WHERE ${ofKind}`, kind);
  }
}

/** By the index on the kinds: one look-up for each kind. */
function nextKind(engine: Engine, after: string): string | undefined {
  const [row] = engine.exec<{ kind: string | null }>("SELECT MIN(kind) AS kind FROM objects WHERE kind > ?", after);
  return row?.kind ?? undefined;
}
