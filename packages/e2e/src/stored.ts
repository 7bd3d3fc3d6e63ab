/** What a server has stored, wherever its engine keeps it. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { engine } from "@durable-streams-cloudflare/testkit/engine";

/** The paths of the cold segments that are on the disk; none before the first one. */
export function segmentFiles(dataDir: string): string[] {
  const isNode = engine() === "node";
  const files = filesBelow(join(dataDir, isNode ? "segments" : "r2"));
  // The simulator of R2 keeps the values of objects apart from what it knows about them.
  return files.filter((path) => (isNode ? !path.endsWith(".part") : path.includes("/blobs/")));
}

/** Everything that has stored something: streams, projects, sessions. On workerd the names of files, on node of objects. */
export function storedObjects(dataDir: string): string[] {
  if (engine() === "workerd") {
    const files = readdirSync(join(dataDir, "do"), { recursive: true, encoding: "utf8" });
    // What SQLite has beside those that are open comes and goes.
    return files.filter((name) => name.endsWith(".sqlite")).toSorted();
  }
  using database = new DatabaseSync(join(dataDir, "streams.sqlite"), { readOnly: true });
  const rows = database.prepare("SELECT kind || ' ' || name AS object FROM objects ORDER BY object").all();
  return rows.map((row) => String(row["object"]));
}

function filesBelow(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
