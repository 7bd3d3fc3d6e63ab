import { rmSync } from "node:fs";
import { join, resolve } from "node:path";

import type { Command } from "commander";

import { CloudflareApi } from "../cloudflare/api.ts";
import { findCredentials } from "../cloudflare/wrangler.ts";
import { contextOf } from "../context.ts";
import { usageError } from "../failure.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { readProfiles, removeProfile } from "../profiles.ts";
import { confirmLoss, YES } from "../prompts.ts";
import { WORKER_FOLDER } from "../setup/scaffold.ts";
import { STATE_FILE, StateStore } from "../setup/state.ts";

interface Options {
  readonly yes?: true;
  readonly keepBucket?: true;
  readonly dryRun?: true;
}

interface Removal {
  readonly what: "worker" | "queue" | "namespace" | "bucket" | "profile";
  readonly name: string;
  /** Whether there was anything to remove. */
  readonly remove: (api: CloudflareApi) => Promise<boolean>;
}

export function destroyCommand(program: Command, io: Io): void {
  const command = program
    .command("destroy [folder]")
    .description(
      "remove what setup created on Cloudflare: the Worker with all its streams, queue, KV namespace and bucket",
    )
    .option("--keep-bucket", "keep the R2 bucket and its contents")
    .option(...YES)
    .option("--dry-run", "show what would be removed, and remove nothing")
    .action(async (folder: string | undefined, options: Options, called: Command) => {
      const { output } = contextOf(called, io);
      const store = StateStore.read(resolve(io.cwd, folder ?? "."));
      if (store === undefined)
        throw usageError(
          "This folder was not created by setup.",
          "run it in the folder that setup created, or give its path",
        );
      const removals = removalsOf(io, store, options.keepBucket === true);
      const plan = removals.map(({ what, name }) => ({ remove: what, name }));
      const lines = plan.map(({ remove, name }) => `- ${remove} ${name}`).join("\n");
      if (options.dryRun) return output.result({ plan }, lines);
      const { name } = store.state.answers;
      if (options.yes !== true) output.note(`These will be removed from Cloudflare:\n${lines}`);
      await confirmLoss(io, `All streams of ${name} will be deleted permanently. Continue?`, options.yes === true);
      const credentials = await findCredentials(io, join(store.folder, WORKER_FOLDER));
      const api = new CloudflareApi({ credentials, env: io.env, signal: io.signal });
      const removed: { remove: string; name: string; wasThere: boolean }[] = [];
      for (const removal of removals) {
        const wasThere = await removal.remove(api);
        removed.push({ remove: removal.what, name: removal.name, wasThere });
        output.note(`✓ ${removal.what} ${removal.name}${wasThere ? " removed" : " did not exist"}`);
      }
      // Last, so that the same command can resume until then.
      rmSync(join(store.folder, STATE_FILE));
      await output.result({ removed }, "");
      output.note(`The files in ${store.folder} were kept.`);
    });
  examples(command, "durable-streams destroy durable-streams --dry-run", "durable-streams destroy durable-streams");
}

/** Ordered so that nothing is removed while it is still in use. What setup did not create is kept. */
function removalsOf(io: Io, store: StateStore, keepBucket: boolean): readonly Removal[] {
  const { answers, isOwner, made = [] } = store.state;
  const { account, name, namespace, bucket, queue } = answers;
  const worker = removal("worker", name, {
    find: async (api) => ((await api.hasWorker(account, name)) ? name : undefined),
    remove: (api, found) => api.deleteWorker(account, found),
  });
  const sharder = removal("queue", queue ?? "", {
    find: (api) => api.findQueue(account, queue ?? ""),
    remove: (api, id) => api.deleteQueue(account, id),
  });
  const registry = removal("namespace", namespace, {
    find: (api) => api.findNamespace(account, namespace),
    remove: (api, id) => api.deleteNamespace(account, id),
  });
  const segments = removal("bucket", bucket ?? "", {
    find: async (api) => ((await api.hasBucket(account, bucket ?? "")) ? (bucket ?? "") : undefined),
    remove: (api, found) => api.deleteBucket(account, found),
  });
  return [
    ...(isOwner === true ? [worker] : []),
    ...(made.includes("queue") ? [sharder] : []),
    ...(made.includes("namespace") ? [registry] : []),
    ...(made.includes("bucket") && !keepBucket ? [segments] : []),
    profileRemoval(io, store),
  ];
}

interface Calls {
  /** Its id in the API; `undefined` if it does not exist. */
  readonly find: (api: CloudflareApi) => Promise<string | undefined>;
  readonly remove: (api: CloudflareApi, found: string) => Promise<void>;
}

function removal(what: Removal["what"], name: string, { find, remove }: Calls): Removal {
  return {
    what,
    name,
    remove: async (api) => {
      const found = await find(api);
      if (found !== undefined) await remove(api, found);
      return found !== undefined;
    },
  };
}

function profileRemoval({ env }: Io, { state }: StateStore): Removal {
  const { name } = state.answers;
  return {
    what: "profile",
    name,
    remove: async () => {
      const profiles = readProfiles(env);
      const names = [name, "default"].filter((each) => profiles[each]?.url === state.url);
      for (const each of names) removeProfile(env, each);
      return names.length > 0;
    },
  };
}
