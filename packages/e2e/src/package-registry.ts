/**
 * npm's registry on loopback, for this project's packages alone, as if they had been published a moment ago. Whatever else
 * is installed comes from where this machine gets its packages.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { runProgram, type PackedPackage } from "./packed-packages.ts";

const SCOPE = "@durable-streams-cloudflare";

export interface PackageRegistry {
  /** Makes those ask this registry whose `XDG_CONFIG_HOME` this is. */
  addTo(configHome: string): void;
  /** Called when somebody asks for a package, with its name. */
  onLookup: (name: string) => void;
  stop(): void;
}

export async function startRegistry(packages: readonly PackedPackage[]): Promise<PackageRegistry> {
  const answers = new Map<string, string | Buffer>();
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "");
    const answer = answers.get(path);
    if (path.startsWith(`/${SCOPE}/`)) registry.onLookup(path.slice(1));
    response.writeHead(answer === undefined ? 404 : 200).end(answer);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const { name, tarball } of packages) {
    const archive = readFileSync(tarball);
    const path = `/-/${basename(tarball)}`;
    answers.set(path, archive).set(`/${name}`, describePackage(tarball, archive, url + path));
  }
  const registry: PackageRegistry = {
    onLookup: () => undefined,
    addTo: (configHome) => {
      mkdirSync(join(configHome, "pnpm"), { recursive: true });
      writeFileSync(join(configHome, "pnpm/config.yaml"), `registries:\n  "${SCOPE}": ${url}/\n`);
    },
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return registry;
}

/** What a registry says about a package with one version. */
function describePackage(tarball: string, archive: Buffer, url: string): string {
  const manifest = JSON.parse(runProgram(tmpdir(), "tar", ["xzOf", tarball, "package/package.json"])) as {
    readonly name: string;
    readonly version: string;
  };
  const { name, version } = manifest;
  const dist = { tarball: url, integrity: `sha512-${createHash("sha512").update(archive).digest("base64")}` };
  return JSON.stringify({
    name,
    "dist-tags": { latest: version },
    versions: { [version]: { ...manifest, dist } },
    time: { [version]: new Date().toISOString() },
  });
}
