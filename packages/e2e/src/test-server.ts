/** One server for the tests of a file, and new streams on it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterAll, beforeAll } from "vitest";

import { create, TEXT } from "./requests.ts";

export interface TestServer {
  /** Without a slash at its end. */
  readonly url: string;
  /** The URL of a stream that does not exist yet. */
  newUrl(): string;
  /** The URL of a new stream. @param headers initially those of text. */
  newStream(body?: string, headers?: Readonly<Record<string, string>>): Promise<string>;
  /** What the server has logged. */
  log(): string;
  /** The process that serves requests. */
  servingPid(): number;
  /** Of the process that serves requests. */
  servingPid(): number;
  /** Ends the server and starts it again, with the same data. */
  restart(): Promise<void>;
}

/** Starts a server before the tests of this file and ends it after them. */
export function useServer(vars: Readonly<Record<string, string | number>> = {}): TestServer {
  let dataDir = "";
  let server: ServerProcess | undefined;
  let streams = 0;
  const running = (): ServerProcess => {
    if (server === undefined) throw new Error("the server has not been started");
    return server;
  };
  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), "notes-"));
    server = await startServer({ dataDir, vars });
  });
  afterAll(async () => {
    await server?.kill9();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const newUrl = (): string =>
    `${running().url}/v1/stream/${vars["TENANCY"] === "path" ? "project/" : ""}s${(streams += 1)}`;
  return {
    get url() {
      return running().url;
    },
    newUrl,
    newStream: async (body = "", headers = TEXT) => {
      const url = newUrl();
      await create(url, { headers, body });
      return url;
    },
    log: () => running().log(),
    servingPid: () => running().servingPid(),
    restart: async () => {
      const port = Number(new URL(running().url).port);
      await running().stop();
      server = await startServer({ dataDir, vars, port });
    },
  };
}
