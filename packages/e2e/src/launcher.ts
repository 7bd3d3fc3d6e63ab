/** What the tests of the command that starts a server share. */

import { spawnSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { engine } from "@durable-streams-cloudflare/testkit/engine";
import type { ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { expect } from "vitest";

export const LAUNCHER = fileURLToPath(new URL("../../local/src/main.ts", import.meta.url));

/** Runs the command when it is expected to refuse, on the engine of the test. */
export function tryToLaunch(dataDir: string, flags: readonly string[]) {
  return runLauncher(dataDir, ["--engine", engine(), ...flags]);
}

/** The same, without naming an engine. */
export function runLauncher(dataDir: string, flags: readonly string[]) {
  const argv = [LAUNCHER, "--data-dir", dataDir, ...flags];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: "utf8", timeout: 30_000 });
  return { status, stdout, stderr };
}

export async function create(url: string): Promise<void> {
  const response = await fetch(`${url}/v1/stream/kept`, {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
  });
  expect(response.status).toBe(201);
}

export async function append(url: string, message: unknown): Promise<void> {
  const response = await fetch(`${url}/v1/stream/kept`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(message),
  });
  expect(response.ok).toBe(true);
}

export async function read(url: string): Promise<unknown> {
  const response = await fetch(`${url}/v1/stream/kept?offset=-1`);
  expect(response.status).toBe(200);
  return response.json();
}

export async function metricsOf(server: ServerProcess): Promise<string> {
  return (await fetch(server.metricsUrl ?? "")).text();
}

export async function eventually(condition: () => Promise<boolean>, limitMs: number): Promise<void> {
  for (const end = Date.now() + limitMs; !(await condition().catch(() => false)); await delay(25)) {
    if (Date.now() > end) throw new Error(`still not so after ${limitMs} ms`);
  }
}
