import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { API_TOKEN, FakeCloudflare } from "./fake-cloudflare.ts";
import { installFakeTools } from "./fake-tools.ts";

/** A fake account on loopback, and a home directory from which it is used. */
export interface FakeAccount {
  readonly home: string;
  /** A path in the home directory that does not exist yet. */
  readonly folder: string;
  readonly cloudflare: FakeCloudflare;
  readonly env: Record<string, string>;
  remove(): void;
}

export async function makeFakeAccount(): Promise<FakeAccount> {
  const home = mkdtempSync(join(tmpdir(), "setup-"));
  const cloudflare = await new FakeCloudflare().start();
  return {
    home,
    folder: join(home, "streams"),
    cloudflare,
    env: {
      HOME: home,
      PATH: installFakeTools(home),
      CLOUDFLARE_API_BASE_URL: cloudflare.apiUrl,
      CLOUDFLARE_API_TOKEN: API_TOKEN,
    },
    remove: () => {
      cloudflare.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
