/** What each storage mode promises, as `docs/storage-modes.md` has it: a server is killed, and looked at from outside. */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { STORAGE_MODES, TRAITS, type StorageMode } from "./storage/modes/options.ts";

const MAIN = fileURLToPath(new URL("./testing/mode-server-main.ts", import.meta.url));
const TEXT = { "Content-Type": "text/plain" };
const STREAMS = 4;
const WRITERS = 8;
/** Large enough that streams roll into segments meanwhile. */
const PADDING = "x".repeat(2_000);

let root: string;
let dataDir: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "storage-modes-"));
  dataDir = join(root, "data");
});
afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  rmSync(root, { recursive: true });
});

async function start(mode: StorageMode): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [MAIN, mode, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return { child, url: `${line}/v1/stream` };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

/** Writes until the server is killed. @returns what was acknowledged, in its order. */
async function write(url: string, writer: number, onAcknowledged: () => void): Promise<readonly string[]> {
  const acknowledged: string[] = [];
  const headers = { ...TEXT, "Producer-Id": `w${writer}`, "Producer-Epoch": "0" };
  for (let seq = 0; ; seq += 1) {
    const message = `<${writer}.${seq}>`;
    try {
      const request = { method: "POST", headers: { ...headers, "Producer-Seq": String(seq) }, body: message + PADDING };
      const response = await fetch(`${url}/s${writer % STREAMS}`, request);
      if (!response.ok) throw new Error(await response.text());
    } catch (error) {
      if (error instanceof TypeError) return acknowledged;
      throw error;
    }
    acknowledged.push(message);
    onAcknowledged();
  }
}

/** Runs a server with writers, and kills it when it has acknowledged so many appends. */
async function writeAndKill(mode: StorageMode, acknowledgements: number): Promise<readonly (readonly string[])[]> {
  const { child, url } = await start(mode);
  for (let stream = 0; stream < STREAMS; stream += 1)
    await fetch(`${url}/s${stream}`, { method: "PUT", headers: TEXT });
  let left = acknowledgements;
  const writing = Array.from({ length: WRITERS }, (_, writer) =>
    write(url, writer, () => void ((left -= 1) === 0 && child.kill("SIGKILL"))),
  );
  const acknowledged = await Promise.all(writing);
  await kill(child);
  return acknowledged;
}

describe.each(STORAGE_MODES.filter((mode) => TRAITS[mode].isOnDisk))("in the storage mode %s,", (mode) => {
  it("[SM2] what was acknowledged survives kill -9, once and in its order, and so do its producers", async () => {
    const acknowledged = await writeAndKill(mode, 600);
    const { url } = await start(mode);
    for (const [writer, messages] of acknowledged.entries()) {
      const text = await (await fetch(`${url}/s${writer % STREAMS}`)).text();
      const stored = text.match(/<\d+\.\d+>/g)?.filter((message) => message.startsWith(`<${writer}.`)) ?? [];
      // The last one may have been stored without an answer.
      expect(stored.slice(0, messages.length)).toEqual(messages);
      expect(stored.length - messages.length).toBeLessThanOrEqual(1);
      const headers = { ...TEXT, "Producer-Id": `w${writer}`, "Producer-Epoch": "0", "Producer-Seq": "0" };
      const again = await fetch(`${url}/s${writer % STREAMS}`, { method: "POST", headers, body: "again" });
      expect(again.status).toBe(204);
    }
  });
});

it("[SM1] in the storage mode memory, nothing is on disk, and everything is gone with the process", async () => {
  const acknowledged = await writeAndKill("memory", 100);
  expect([acknowledged.flat().length >= 100, existsSync(dataDir)]).toEqual([true, false]);
  const { url } = await start("memory");
  expect((await fetch(`${url}/s0`)).status).toBe(404);
});
