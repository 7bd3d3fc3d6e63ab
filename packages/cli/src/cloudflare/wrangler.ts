/** Runs wrangler: the one installed in the folder that setup created, otherwise through npx. */

import { existsSync } from "node:fs";
import { join } from "node:path";

import { CliError, EXIT } from "../failure.ts";
import { isInteractive, type Io } from "../io.ts";
import type { Credentials } from "./api.ts";
import { runCommand, runOnTerminal, type CommandLine } from "./run-command.ts";

/** The version that this version of the server was tested and bundled with. */
export const WRANGLER_VERSION = "4.156.2";

/** wrangler must not prompt, and must not send telemetry. */
const ENVIRONMENT = { WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true", CI: "1" };

const LOGIN_FIX = "run npx wrangler login, or export CLOUDFLARE_API_TOKEN=…";

/** @param folder the Worker's folder, which contains its package.json. */
export function wranglerLine(folder: string, args: readonly string[], cwd = folder): CommandLine {
  const installed = wranglerPath(folder);
  return existsSync(installed)
    ? { command: process.execPath, args: [installed, ...args], cwd, env: ENVIRONMENT }
    : { command: "npx", args: ["--yes", `wrangler@${WRANGLER_VERSION}`, ...args], cwd, env: ENVIRONMENT };
}

export function wranglerPath(folder: string): string {
  return join(folder, "node_modules/wrangler/bin/wrangler.js");
}

/**
 * Finds the credentials for Cloudflare: `CLOUDFLARE_API_TOKEN`, or the login of wrangler.
 * @throws CliError when there is neither, and nobody can log in.
 */
export async function findCredentials(io: Io, folder: string): Promise<Credentials> {
  const token = io.env["CLOUDFLARE_API_TOKEN"];
  if (token) return { Authorization: `Bearer ${token}` };
  const known = await loginOf(io, folder);
  if (known !== undefined) return known;
  if (isInteractive(io)) {
    const { env: _, ...line } = wranglerLine(folder, ["login"], io.cwd);
    await runOnTerminal(io, line);
    const fresh = await loginOf(io, folder);
    if (fresh !== undefined) return fresh;
  }
  throw new CliError("You are not logged in to Cloudflare.", {
    code: "not-logged-in",
    fix: LOGIN_FIX,
    exitCode: EXIT.refused,
  });
}

/** The login that wrangler has stored, renewed if necessary. */
async function loginOf(io: Io, folder: string): Promise<Credentials | undefined> {
  const line = wranglerLine(folder, ["auth", "token", "--json"], io.cwd);
  const text = await runCommand(io, line, LOGIN_FIX).catch((error: unknown) => {
    if (error instanceof CliError) return "{}";
    throw error;
  });
  // wrangler may print other text before the JSON.
  const json = /\{[^]*\}/.exec(text)?.[0] ?? "{}";
  const found = JSON.parse(json) as { token?: string; key?: string; email?: string };
  if (found.token !== undefined) return { Authorization: `Bearer ${found.token}` };
  if (found.key !== undefined && found.email !== undefined) {
    return { "X-Auth-Key": found.key, "X-Auth-Email": found.email };
  }
  return undefined;
}
