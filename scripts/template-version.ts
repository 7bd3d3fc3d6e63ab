/** Gives the template of the Deploy button the version that is about to be published; part of `version-packages`. */
import { readFileSync, writeFileSync } from "node:fs";

const TEMPLATE = "templates/cloudflare/package.json";

const { version } = JSON.parse(readFileSync("packages/server/package.json", "utf8")) as { version: string };
const template = readFileSync(TEMPLATE, "utf8");
writeFileSync(TEMPLATE, template.replace(/("@durable-streams-cloudflare\/server": ")[^"]*/, `$1^${version}`));
