/** Cold segments that cannot be read: a reader gets an error or a connection that is cut, and never wrong bytes or too few. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import fsPromises, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { createServer, type RunningServer } from "./create-server.ts";

const SETTINGS = {
  AUTH_MODE: "none",
  TENANCY: "single",
  LOG_LEVEL: "off",
  SEGMENT_BYTES: "65536",
  SEGMENT_BYTES_MIN: "1",
};
const TEXT = { "Content-Type": "text/plain" };
const APPEND = "0123456789abcdef".repeat(4_096);
const APPENDS = 16;

let dataDir: string;
let server: RunningServer;
let url: string;
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "bad-segments-"));
  server = await createServer({ storage: { mode: "file-durable", dataDir }, port: 0, settings: SETTINGS });
  url = `${server.url}/v1/stream/cold`;
  await fetch(url, { method: "PUT", headers: TEXT });
  for (let count = 0; count < APPENDS; count += 1) await fetch(url, { method: "POST", headers: TEXT, body: APPEND });
  const isCold = async (): Promise<void> => {
    if ((await segmentsRead()) <= APPENDS / 2) throw new Error("The stream is read from the database still.");
  };
  await vi.waitFor(isCold, { timeout: 20_000, interval: 20 });
});
afterEach(async () => {
  restore();
  await server.close(0);
  rmSync(dataDir, { recursive: true });
});

function segments(): readonly string[] {
  return readdirSync(join(dataDir, "segments"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".part"))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** How many segments a read opens: a stream is read from the database until all segments of a table are there. */
async function segmentsRead(): Promise<number> {
  const opened = spyOnOpen();
  await read();
  const { length } = opened.mock.calls.filter(([path, flags]) => String(path).includes("segments") && flags === "r");
  restore();
  return length;
}

/** Modules that imported `open` by its name call the spy, too, whenever they were loaded. */
function spyOnOpen(open: typeof fsPromises.open = fsPromises.open) {
  const spy = vi.spyOn(fsPromises, "open").mockImplementation(open);
  syncBuiltinESMExports();
  return spy;
}

function restore(): void {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
}

async function handles(): Promise<Pick<FileHandle, "read">> {
  const probe = await fsPromises.open(dataDir, "r");
  await probe.close();
  return Object.getPrototypeOf(probe) as FileHandle;
}

const failure = (code: string): Error => Object.assign(new Error(code), { code });

/** The whole stream, or what came instead of it. */
async function read(): Promise<string> {
  const response = await fetch(`${url}?offset=-1`);
  if (response.status !== 200) {
    const { code } = (await response.json()) as { code: string };
    return `${response.status} ${code} ${response.headers.get("Retry-After")}`;
  }
  try {
    return (await response.text()) === APPEND.repeat(APPENDS) ? "whole" : "wrong";
  } catch {
    return "cut off";
  }
}

describe.each(["EMFILE", "ENFILE", "EIO"])("a segment that cannot be opened because of %s", (code) => {
  it("is answered with 503 after a few tries, and read when it can be opened again", async () => {
    const { open } = fsPromises;
    let tries = 0;
    spyOnOpen(async (path, ...options) => {
      if (!String(path).includes("segments")) return open(path, ...options);
      tries += 1;
      throw failure(code);
    });
    expect(await read()).toMatch(/^503 \S+ \d+$/);
    expect(tries).toBeLessThanOrEqual(8);
    restore();
    expect(await read()).toBe("whole");
  });
});

describe("a segment whose bytes cannot be read", () => {
  it("is answered with 503 where nothing has been sent, and read when its disk works again", async () => {
    const prototype = await handles();
    vi.spyOn(prototype, "read").mockImplementation(() => Promise.reject(failure("EIO")));
    expect(await read()).toMatch(/^503 \S+ \d+$/);
    restore();
    expect(await read()).toBe("whole");
  });

  it("cuts the connection in the middle of a body", async () => {
    const prototype = await handles();
    const { read: readHandle } = prototype;
    let reads = 0;
    vi.spyOn(prototype, "read").mockImplementation(function (this: FileHandle, ...given: unknown[]) {
      reads += 1;
      return reads > 8 ? Promise.reject(failure("EIO")) : Reflect.apply(readHandle, this, given);
    } as typeof readHandle);
    expect(await read()).toBe("cut off");
    restore();
    expect(await read()).toBe("whole");
  });

  it.each([
    ["truncated", (path: string) => truncateSync(path, 60_000)],
    ["empty", (path: string) => truncateSync(path, 0)],
    ["missing", (path: string) => rmSync(path)],
    [
      "changed in one bit",
      (path: string) => {
        const bytes = readFileSync(path);
        bytes[30_000] = (bytes[30_000] ?? 0) ^ 1;
        writeFileSync(path, bytes);
      },
    ],
  ])("because it is %s is not taken for the whole", async (_, damage) => {
    const paths = segments();
    damage(paths[10] ?? "");
    expect(await read()).toMatch(/^cut off$|^503 /);
    damage(paths[0] ?? "");
    expect(await read()).toMatch(/^cut off$|^503 /);
    expect((await fetch(url, { method: "POST", headers: TEXT, body: "x" })).status).toBe(204);
  });
});
