import { join } from "node:path";

import type { CloudflareApi } from "../cloudflare/api.ts";
import type { Io } from "../io.ts";
import type { Output } from "../output.ts";
import { Server } from "../server.ts";
import { WORKER_FOLDER } from "./scaffold.ts";
import type { ServerPackage } from "./server-package.ts";
import type { StateStore } from "./state.ts";

/** What the steps of a setup need. */
export interface World {
  readonly io: Io;
  readonly output: Output;
  readonly api: CloudflareApi;
  readonly store: StateStore;
  readonly serverPackage: ServerPackage;
  /** The server's URL, if it is neither on workers.dev nor on the domain. */
  readonly url: string | undefined;
  /** The server's ADMIN_SECRET, once it is known: given, or created by this run. */
  adminSecret: string | undefined;
}

/** Prints values on stdout that the user must keep: they are shown only once. */
export async function reveal({ output }: World, variables: Readonly<Record<string, string>>): Promise<void> {
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
  await output.write(output.json ? `${JSON.stringify({ reveal: variables })}\n` : lines.join(""));
  output.note("Save these values: they are not shown again.");
}

export function workerFolder({ store }: Pick<World, "store">): string {
  return join(store.folder, WORKER_FOLDER);
}

/** The deployed server, with the credentials of its administrator. */
export function adminServer({ store, adminSecret, io }: World): Server {
  const url = store.state.url ?? "";
  const connection = { url, project: undefined, token: undefined, secret: undefined, adminSecret };
  return new Server(connection, io.signal);
}
