/**
 * Somebody who has npm and an account at Cloudflare, and has never used this before. The account is on loopback, and so is what
 * npm's registry has of this project.
 */
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

import { makeFakeAccount, type FakeAccount } from "@durable-streams-cloudflare/cli/testing/fake-account";
import { reservePort } from "@durable-streams-cloudflare/local/port";

import { startRegistry, type PackageRegistry } from "./package-registry.ts";
import type { PackedPackage } from "./packed-packages.ts";

/** Where npm and pnpm keep where packages come from, and what they have downloaded before. */
const OF_THIS_MACHINE = [".npmrc", ".npm", ".cache/pnpm", ".local/share/pnpm"];

/** A browser whose user agrees to everything. Cloudflare sends it back to the port that wrangler listens on by itself. */
const BROWSER = `
const asked = await fetch(process.argv[2], { redirect: "manual" });
const back = new URL(asked.headers.get("location"));
await fetch(Object.assign(back, { port: process.env.LOGIN_PORT }), { redirect: "manual" });
`;

export interface Newcomer {
  readonly account: FakeAccount;
  readonly registry: PackageRegistry;
  /** Of their shell, in which nobody is logged in. */
  readonly env: NodeJS.ProcessEnv;
  /** Where `wrangler login --callback-port` has to listen. */
  readonly loginPort: number;
  leave(): void;
}

/** @param packages that npm's registry has. */
export async function makeNewcomer(packages: readonly PackedPackage[]): Promise<Newcomer> {
  const account = await makeFakeAccount();
  const registry = await startRegistry(packages);
  const loginPort = await reservePort("127.0.0.1", 0);
  const { home, cloudflare } = account;
  const config = join(home, ".config");
  registry.addTo(config);
  // Nobody is asked anything where CI is set.
  const { CI: _, ...others } = process.env;
  const env = {
    ...others,
    HOME: home,
    XDG_CONFIG_HOME: config,
    PATH: `${installTools(home)}:${others["PATH"]}`,
    LOGIN_PORT: String(loginPort),
    CLOUDFLARE_API_BASE_URL: cloudflare.apiUrl,
    ...cloudflare.loginEnv,
    npm_config_prefer_offline: "true",
  };
  const leave = (): void => {
    account.remove();
    registry.stop();
  };
  return { account, registry, env, loginPort, leave };
}

/** @returns a folder for PATH. */
function installTools(home: string): string {
  for (const path of OF_THIS_MACHINE.filter((each) => existsSync(join(homedir(), each)))) {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    symlinkSync(join(homedir(), path), join(home, path));
  }
  const tools = join(home, "tools");
  mkdirSync(tools);
  const browser = join(tools, "browser.mjs");
  writeFileSync(browser, BROWSER);
  writeFileSync(join(tools, "xdg-open"), `#!/bin/sh\nexec '${process.execPath}' '${browser}' "$1"\n`, { mode: 0o755 });
  return tools;
}
