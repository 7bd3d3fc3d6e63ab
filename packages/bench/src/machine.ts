/** Describes the machine that the figures were measured on, without its name. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, cpus, platform, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";

import { median } from "./statistics.ts";
import { formatMs } from "./units.ts";

const SYNC_TRIES = 50;
const SYNC_BYTES = 4_096;

/** One line per property. */
export function describeMachine(): readonly string[] {
  return [
    `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown processor"}, ${Math.round(totalmem() / 2 ** 30)} GiB of memory`,
    `${platform()} ${release().split("-")[0] ?? ""} ${arch()}, Node.js ${process.versions.node}`,
    `workerd ${versionOf("workerd", "@durable-streams-cloudflare/local/workerd-path")}, @durable-streams/server ${versionOf("@durable-streams/server")}`,
    `disk of the data directories: ${formatMs(syncMs())} for ${SYNC_BYTES} bytes and fdatasync (median)`,
  ];
}

/** The version of a package that one of our modules depends on. */
function versionOf(name: string, from?: string): string {
  const require = createRequire(from === undefined ? import.meta.url : import.meta.resolve(from));
  const entry = require.resolve(name);
  const root = entry.slice(0, entry.lastIndexOf(`node_modules/${name}/`) + `node_modules/${name}/`.length);
  return (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version;
}

function syncMs(): number {
  const directory = mkdtempSync(join(tmpdir(), "bench-"));
  const file = openSync(join(directory, "file"), "w");
  try {
    return median(
      Array.from({ length: SYNC_TRIES }, () => {
        const startedAt = performance.now();
        writeSync(file, Buffer.alloc(SYNC_BYTES));
        fdatasyncSync(file);
        return performance.now() - startedAt;
      }),
    );
  } finally {
    closeSync(file);
    rmSync(directory, { recursive: true });
  }
}
