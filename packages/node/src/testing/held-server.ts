/** A server in the test's process, with a disk that the test controls: it can hold syncs back, refuse commits and be full. */

import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Module } from "@durable-streams-cloudflare/http/modules/module-types";
import { vi } from "vitest";

import { createServer, type RunningServer } from "../create-server.ts";
import type { StorageMode } from "../storage/modes/options.ts";
import { SharedDatabase } from "../storage/shared-database.ts";

const TEXT = { "Content-Type": "text/plain" };
const SETTINGS = { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" };

const FILES = ["streams.sqlite", "streams.sqlite-wal"];

export interface HeldServerOptions {
  readonly mode?: StorageMode;
  readonly settings?: Readonly<Record<string, string>>;
  readonly dataDir?: string;
  readonly modules?: readonly Module[];
}

interface Disk {
  isHolding: boolean;
  /** Syncs that return before they are held. */
  syncsToPass: number;
  /** Where the files are kept as they were at the last sync that returned. */
  snapshots: string | undefined;
  commitsToRefuse: number;
  /** All that were written to. */
  readonly databases: Set<SharedDatabase>;
  readonly held: PromiseWithResolvers<void>[];
  /** Who waits until something is held. */
  readonly waiting: (() => void)[];
}

interface Writing {
  readonly run: (...statement: Parameters<SharedDatabase["run"]>) => void;
}

/** A running server, its data directory, and the controls of its disk. */
export class HeldServer implements AsyncDisposable {
  readonly server: RunningServer;
  readonly dataDir: string;
  readonly fatal: readonly unknown[];
  readonly #disk: Disk;
  readonly #modules: readonly Module[];
  #isCut = false;

  private constructor(
    server: RunningServer,
    { dataDir, modules }: { readonly dataDir: string; readonly modules: readonly Module[] },
    disk: Disk,
    fatal: readonly unknown[],
  ) {
    this.server = server;
    this.dataDir = dataDir;
    this.#modules = modules;
    this.#disk = disk;
    this.fatal = fatal;
  }

  /** @param options the mode of the storage, settings besides those that let a test in, and a directory that is there. */
  static async start({
    mode = "file-durable",
    settings = {},
    dataDir = mkdtempSync(join(tmpdir(), "held-server-")),
    modules = [],
  }: HeldServerOptions = {}): Promise<HeldServer> {
    const disk: Disk = {
      isHolding: false,
      syncsToPass: 0,
      snapshots: undefined,
      commitsToRefuse: 0,
      databases: new Set(),
      held: [],
      waiting: [],
    };
    const fatal: unknown[] = [];
    const methods: { readonly sync: () => Promise<void>; readonly commit: () => void } & Writing =
      SharedDatabase.prototype;
    const { sync, commit, run } = methods;
    // A server of another test may still be closing: its disk is not this one.
    const isOurs = ({ sqlite }: SharedDatabase): boolean => (sqlite.location() ?? dataDir).startsWith(dataDir);
    vi.spyOn(SharedDatabase.prototype, "sync").mockImplementation(async function (this: SharedDatabase) {
      if (!isOurs(this)) return sync.call(this);
      if (disk.isHolding && (disk.syncsToPass -= 1) < 0) {
        const hold = Promise.withResolvers<void>();
        disk.held.push(hold);
        for (const resolve of disk.waiting.splice(0)) resolve();
        await hold.promise;
      }
      await sync.call(this);
      // No commit comes between, and the test's streams are too small for a checkpoint.
      if (disk.snapshots !== undefined) copyFiles(dataDir, disk.snapshots);
    });
    vi.spyOn(SharedDatabase.prototype, "run").mockImplementation(function (this: SharedDatabase, ...statement) {
      if (isOurs(this)) disk.databases.add(this);
      run.call(this, ...statement);
    });
    vi.spyOn(SharedDatabase.prototype, "commit").mockImplementation(function (this: SharedDatabase) {
      if (isOurs(this) && disk.commitsToRefuse > 0) {
        disk.commitsToRefuse -= 1;
        throw Object.assign(new Error("database or disk is full"), { errcode: 13 });
      }
      commit.call(this);
    });
    const server = await createServer({
      storage: { mode, dataDir },
      host: "127.0.0.1",
      port: 0,
      settings: { ...SETTINGS, ...settings },
      modules,
      onFatal: (error) => void fatal.push(error),
    });
    return new HeldServer(server, { dataDir, modules }, disk, fatal);
  }

  /** Holds syncs back: from now on none returns. */
  hold(syncsToPass = 0): void {
    this.#disk.syncsToPass = syncsToPass;
    this.#disk.isHolding = true;
  }

  /** Resolves when a commit is waiting for its sync. */
  async isHeld(): Promise<void> {
    if (!this.hasHeld) await new Promise<void>((resolve) => this.#disk.waiting.push(resolve));
  }

  get hasHeld(): boolean {
    return this.#disk.held.length > 0;
  }

  /** From now on, keeps what a power cut would leave, and that is durable at this moment. */
  keepSnapshots(): void {
    this.#disk.snapshots = join(this.dataDir, "snapshot");
    mkdirSync(this.#disk.snapshots);
    copyFiles(this.dataDir, this.#disk.snapshots);
  }

  /** Ends the server, and starts another on what was durable. The caller disposes of both. */
  async cutPower(settings: Readonly<Record<string, string>>): Promise<HeldServer> {
    if (this.#disk.snapshots === undefined) throw new Error("No snapshots were kept.");
    this.failSync(new Error("The power is cut."));
    this.#isCut = true;
    await this.server.close(0);
    vi.restoreAllMocks();
    return HeldServer.start({ settings, dataDir: this.#disk.snapshots, modules: this.#modules });
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

  /** Runs a statement behind the server's back. @returns the rows of all databases. */
  execute(statement: string): object[] {
    return [...this.#databases].flatMap(({ sqlite }) => sqlite.prepare(statement).all());
  }

  get #databases(): ReadonlySet<SharedDatabase> {
    if (this.#disk.databases.size === 0) throw new Error("Nothing was written yet.");
    return this.#disk.databases;
  }

  url(stream: string): string {
    return `${this.server.url}/v1/stream/${stream}`;
  }

  put(stream: string, headers: Readonly<Record<string, string>> = {}, body: string | null = null): Promise<Response> {
    return fetch(this.url(stream), { method: "PUT", headers: { ...TEXT, ...headers }, body });
  }

  post(stream: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(this.url(stream), { method: "POST", headers: { ...TEXT, ...headers }, body });
  }

  async text(stream: string): Promise<string> {
    return (await fetch(this.url(stream))).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    if (!this.#isCut) await this.server.close(0);
    vi.restoreAllMocks();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

function copyFiles(from: string, to: string): void {
  for (const name of FILES) if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name));
}
