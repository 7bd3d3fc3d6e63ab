/**
 * An `npx` that installs nothing, and the wrangler that it "installs", which uploads what it is asked to deploy. `FAKE_LOGIN`
 * is the token that a login returns; without it, nobody ever logs in.
 */

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const NPX = `
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
const [, what, ...args] = process.argv.slice(2);
const api = process.env.CLOUDFLARE_API_BASE_URL;
const loginFile = process.env.HOME + "/fake-login";
const login = existsSync(loginFile) ? readFileSync(loginFile, "utf8") : undefined;
const headers = { Authorization: "Bearer " + (process.env.CLOUDFLARE_API_TOKEN ?? login) };
if (what.startsWith("pnpm@") && args[0] === "install") {
  const response = await fetch(api + "/install", { method: "POST", headers });
  if (!response.ok) throw new Error("install: " + response.status);
  mkdirSync("workers/streams/node_modules/wrangler/bin", { recursive: true });
  writeFileSync("workers/streams/node_modules/wrangler/bin/wrangler.js", WRANGLER);
} else if (what.startsWith("wrangler@")) {
  if (args[0] === "login" && process.env.FAKE_LOGIN === undefined) setInterval(() => console.log("Waiting for a browser"), 50);
  else if (args[0] === "login") writeFileSync(loginFile, process.env.FAKE_LOGIN);
  else console.log(JSON.stringify({ type: "oauth", token: login }));
} else {
  throw new Error("unexpected: " + process.argv.join(" "));
}
`;

const WRANGLER = `
const { readFileSync, writeFileSync } = require("node:fs");
async function main() {
  const args = process.argv.slice(2);
  const login = () => readFileSync(process.env.HOME + "/fake-login", "utf8");
  if (args.join(" ") === "auth token --json") return console.log(JSON.stringify({ token: login() }));
  if (args[0] === "dev") return writeFileSync("dev-arguments.json", JSON.stringify(args));
  if (args[0] !== "deploy") throw new Error("unexpected: " + args.join(" "));
  const toml = readFileSync("wrangler.toml", "utf8");
  const [, name] = /^name = "(.*)"/m.exec(toml);
  const [, account] = /^account_id = "(.*)"/m.exec(toml);
  const headers = { Authorization: "Bearer " + (process.env.CLOUDFLARE_API_TOKEN ?? login()) };
  const url = process.env.CLOUDFLARE_API_BASE_URL + "/accounts/" + account + "/workers/scripts/" + name;
  const response = await fetch(url, { method: "PUT", headers, body: toml });
  if (!response.ok) throw new Error("deploy: " + response.status);
}
main().catch((error) => { console.error(error.message); process.exitCode = 1; });
`;

/** Writes the tools into a folder. @returns the PATH that finds them first. */
export function installFakeTools(folder: string): string {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  const script = NPX.replace("WRANGLER);", `${JSON.stringify(WRANGLER)});`);
  writeFileSync(join(bin, "npx.mjs"), script);
  writeFileSync(join(bin, "npx"), `#!/bin/sh\nexec '${process.execPath}' '${join(bin, "npx.mjs")}' "$@"\n`);
  chmodSync(join(bin, "npx"), 0o755);
  return `${bin}:${process.env["PATH"] ?? ""}`;
}
