/** The Worker's configuration: the server's own wrangler.toml, with the names and ids of this setup. */

import { existsSync, readFileSync } from "node:fs";

import type { Answers } from "./answers.ts";

/** The build copies the repository's wrangler.toml beside the code; sources read it from its place. */
const CANDIDATES = ["../wrangler.toml", "../../../../wrangler.toml"].map((path) => new URL(path, import.meta.url));

/** A section of the file with the comments above it. Sections are separated by empty lines. */
type Section = string;

/** The names were checked and need no quoting. */
export function wranglerToml(answers: Answers, namespaceId: string): string {
  const sections = readTemplate().trimEnd().split(/\n\n+/);
  return `${sections.flatMap((section) => adapt(section, answers, namespaceId)).join("\n\n")}\n`;
}

function readTemplate(): string {
  const found = CANDIDATES.find((candidate) => existsSync(candidate));
  if (found === undefined) throw new Error("The package does not contain wrangler.toml.");
  return readFileSync(found, "utf8");
}

function adapt(section: Section, answers: Answers, namespaceId: string): Section[] {
  const { name, account, tenancy, bucket, queue, caching, domain } = answers;
  switch (headerOf(section)) {
    case "": {
      const route = domain === null ? "" : `\nroutes = [{ pattern = "${domain}", custom_domain = true }]`;
      const settings = section.slice(section.indexOf("name = "));
      const named = set(set(settings, "name", name), "main", "src/worker.ts");
      return [`${named}\naccount_id = "${account}"${route}`];
    }
    case "[vars]":
      return [
        `# Secrets are not in this file. To set one: npx wrangler secret put ADMIN_SECRET\n${set(section, "TENANCY", tenancy)}`,
      ];
    case "[[kv_namespaces]]":
      return [`${section}\nid = "${namespaceId}"`];
    case "[[r2_buckets]]":
      return bucket === null ? [] : [set(section, "bucket_name", bucket)];
    case "[[queues.producers]]":
    case "[[queues.consumers]]":
      return queue === null ? [] : [set(section, "queue", queue)];
    case "[[ratelimits]]":
      return [set(section, "namespace_id", rateLimitNamespace(name))];
    case "# [cache]":
      return [caching ? section.replace(/^# (\[cache\]|enabled = true)$/gm, "$1") : section];
    default:
      return [section];
  }
}

/**
 * Limits with the same number share their counters in the whole account, so each Worker has its own: a hash (FNV-1a) of its
 * name.
 */
export function rateLimitNamespace(name: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return String((hash >>> 1) + 1);
}

/** The line that names a section; for Workers Caching, it is commented out. */
function headerOf(section: Section): string {
  return section.split("\n").find((line) => /^(# )?\[/.test(line)) ?? "";
}

/** @throws Error when the template has no such setting. */
function set(section: Section, key: string, value: string): Section {
  const line = new RegExp(`^${key} = "[^"]*"`, "m");
  if (!line.test(section)) throw new Error(`wrangler.toml has no ${key} in the expected section.`);
  return section.replace(line, `${key} = "${value}"`);
}
