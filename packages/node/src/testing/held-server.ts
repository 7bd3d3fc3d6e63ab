/** A server in the test's process, with a disk that the test controls: it can hold syncs back, refuse commits and be full. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { vi } from "vitest";

import { createServer, type RunningServer } from "../create-server.ts";
import type { StorageMode } from "../storage/modes/options.ts";
import { SharedDatabase } from "../storage/shared-database.ts";

const TEXT = { "Content-Type": "text/plain" };
const SETTINGS = { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" };

interface Disk {
  isHolding: boolean;
  commitsToRefuse: number;
  /** All that have committed. */
  readonly databases: Set<SharedDatabase>;
  readonly held: PromiseWithResolvers<void>[];
}

/** A running server, its data directory, and the controls of its disk. */
export class HeldServer implements AsyncDisposable {
  readonly server: RunningServer;
  readonly dataDir: string;
  readonly fatal: readonly unknown[];
  readonly #disk: Disk;

  private constructor(server: RunningServer, dataDir: string, disk: Disk, fatal: readonly unknown[]) {
    this.server = server;
    this.dataDir = dataDir;
    this.#disk = disk;
    this.fatal = fatal;
  }

  static async start(mode: StorageMode = "file-durable"): Promise<HeldServer> {
    const dataDir = mkdtempSync(join(tmpdir(), "held-server-"));
    const disk: Disk = { isHolding: false, commitsToRefuse: 0, databases: new Set(), held: [] };
    const fatal: unknown[] = [];
    const methods: { readonly sync: () => Promise<void>; readonly commit: () => void } = SharedDatabase.prototype;
    const { sync, commit } = methods;
    vi.spyOn(SharedDatabase.prototype, "sync").mockImplementation(async function (this: SharedDatabase) {
      disk.databases.add(this);
      if (disk.isHolding) {
        const hold = Promise.withResolvers<void>();
        disk.held.push(hold);
        await hold.promise;
      }
      await sync.call(this);
    });
    vi.spyOn(SharedDatabase.prototype, "commit").mockImplementation(function (this: SharedDatabase) {
      if (disk.commitsToRefuse > 0) {
        disk.commitsToRefuse -= 1;
        throw Object.assign(new Error("database or disk is full"), { errcode: 13 });
      }
      commit.call(this);
    });
    const server = await createServer({
      storage: { mode, dataDir },
      host: "127.0.0.1",
      port: 0,
      settings: SETTINGS,
      onFatal: (error) => void fatal.push(error),
    });
    return new HeldServer(server, dataDir, disk, fatal);
  }

  /** Holds syncs back: from now on none returns. */
  hold(): void {
    this.#disk.isHolding = true;
  }

  /** Resolves when a commit is waiting for its sync. */
  async isHeld(): Promise<void> {
    await vi.waitFor(() => {
      if (this.#disk.held.length === 0) throw new Error("No commit waits for its sync.");
    });
  }

  release(): void {
    this.#disk.isHolding = false;
    for (const hold of this.#disk.held.splice(0)) hold.resolve();
  }

  failSync(error: Error): void {
    for (const hold of this.#disk.held.splice(0)) hold.reject(error);
  }

  refuseCommits(count: number): void {
    this.#disk.commitsToRefuse = count;
  }

  /** Fills the disk: the database may not grow any more, so the next statement that needs a page fails with SQLITE_FULL. */
  fill(): void {
    for (const { sqlite } of this.#databases) {
      const pages = Number(sqlite.prepare("PRAGMA page_count").get()?.["page_count"]);
      sqlite.exec(`PRAGMA max_page_count = ${pages}`);
    }
  }

  makeSpace(): void {
    for (const { sqlite } of this.#databases) sqlite.exec("PRAGMA max_page_count = 1000000");
  }

  get #databases(): ReadonlySet<SharedDatabase> {
    if (this.#disk.databases.size === 0) throw new Error("Nothing was written yet.");
    return this.#disk.databases;
  }

  url(stream: string): string {
    return `${this.server.url}/v1/stream/${stream}`;
  }

  put(stream: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(this.url(stream), { method: "PUT", headers: { ...TEXT, ...headers } });
  }

  post(stream: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(this.url(stream), { method: "POST", headers: { ...TEXT, ...headers }, body });
  }

  async text(stream: string): Promise<string> {
    return (await fetch(this.url(stream))).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    await this.server.close(0);
    vi.restoreAllMocks();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
