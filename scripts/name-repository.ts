/**
 * Names the repository in all that is published; part of `release`. npm takes a proof of origin only for the repository
 * that the package itself names, and only the workflow knows where this one lives.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const { GITHUB_SERVER_URL, GITHUB_REPOSITORY } = process.env;

if (GITHUB_SERVER_URL !== undefined && GITHUB_REPOSITORY !== undefined) {
  const url = `git+${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}.git`;
  for (const folder of readdirSync("packages")) {
    const path = `packages/${folder}/package.json`;
    const manifest = JSON.parse(readFileSync(path, "utf8")) as { private?: boolean };
    if (manifest.private === true) continue;
    const repository = { type: "git", url, directory: `packages/${folder}` };
    writeFileSync(path, `${JSON.stringify({ ...manifest, repository }, undefined, 2)}\n`);
  }
}
