/** `npm run dev`: the Worker in wrangler, without tokens, as the help for contributors says. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { expect, it, onTestFinished } from "vitest";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** Starts the script with more flags. @returns the server's URL. */
async function startDev(...flags: readonly string[]): Promise<string> {
  const dataDir = mkdtempSync(join(tmpdir(), "dev-"));
  const command = ["run", "dev", "--", "--port", "0", "--inspector-port", "0", "--persist-to", dataDir, ...flags];
  const child = spawn("npm", command, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const closed = once(child, "close");
  onTestFinished(async () => {
    // npm, wrangler and workerd are one group.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
    await closed;
    rmSync(dataDir, { recursive: true, force: true });
  });
  let output = "";
  const ready = new Promise<string>((resolve) => {
    for (const pipe of [child.stdout, child.stderr]) {
      pipe.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        const [, url] = /Ready on (http:\S+)/.exec(output) ?? [];
        if (url !== undefined) resolve(url);
      });
    }
  });
  const url = await Promise.race([ready, closed.then(() => undefined)]);
  if (url === undefined) throw new Error(`npm run dev ended:\n${output}`);
  return url;
}

it("npm run dev serves without tokens, and asks for them when it is told to", async () => {
  const open = await startDev();
  expect((await fetch(`${open}/v1/stream/hello`, { method: "PUT" })).status).toBe(201);
  const closed = await startDev("--var", "AUTH_MODE:project");
  expect((await fetch(`${closed}/v1/stream/hello`, { method: "PUT" })).status).toBe(401);
}, 120_000);
