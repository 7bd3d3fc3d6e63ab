/**
 * `npm run smoke`: starts the server as `npm start` does, uses it over HTTP, ends it, and finds everything again. It has no
 * dependencies and runs on every system that the server runs on. Windows knows no SIGTERM: there, ending it is killing it.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dataDir = mkdtempSync(join(tmpdir(), "smoke-"));
const flags = ["--port", "0", "--ready-json", "--quiet", "--data-dir", join(dataDir, "new")];
const json = { "Content-Type": "application/json" };

try {
  const first = await start();
  const stream = `${first.url}/v1/stream/smoke`;
  assert.equal((await fetch(stream, { method: "PUT", headers: json })).status, 201);
  const live = await fetch(`${stream}?offset=-1&live=sse`);
  assert.equal((await fetch(stream, { method: "POST", headers: json, body: '{"n":1}' })).status, 204);
  assert.match(await firstEvent(live), /"n":1/);
  await stop(first);

  const second = await start();
  const read = await fetch(`${second.url}/v1/stream/smoke?offset=-1`);
  assert.deepEqual(await read.json(), [{ n: 1 }]);
  assert.equal((await fetch(`${second.url}/readyz`)).status, 200);
  await stop(second);
  console.log(`The server runs on ${process.platform} with Node.js ${process.versions.node}.`);
} finally {
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
}

async function start() {
  const args = ["scripts/run.mjs", "packages/local/src/main.ts", ...flags];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ready = await Promise.race([lines.next(), exited.then(([status]) => ({ value: undefined, status }))]);
  assert.ok(ready.value, "the server ended instead of starting");
  return { url: JSON.parse(ready.value).url, child, exited };
}

async function stop({ child, exited }) {
  child.kill("SIGTERM");
  const [status] = await exited;
  if (process.platform !== "win32") assert.equal(status, 0);
}

/** The text of a live read up to the first message. */
async function firstEvent({ body }) {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes('"n":1')) break;
  }
  return text;
}
