import { rmSync } from "node:fs";
import { join, resolve } from "node:path";

import type { Command } from "commander";

import { CloudflareApi } from "../cloudflare/api.ts";
import { findCredentials } from "../cloudflare/wrangler.ts";
import { contextOf } from "../context.ts";
import { usageError } from "../failure.ts";
import type { Io } from "../io.ts";
import { readProfiles, removeProfile } from "../profiles.ts";
import { confirmLoss } from "../prompts.ts";
import type { Answers } from "../setup/answers.ts";
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
  program
    .command("destroy [folder]")
    .description(
      "remove from Cloudflare what setup made: the Worker with all its streams, the queue, the namespace, the bucket",
    )
    .option("--keep-bucket", "leaves the R2 bucket, and what is in it")
    .option("--yes", "does not ask")
    .option("--dry-run", "says what would go, and ends")
    .action(async (folder: string | undefined, options: Options, command: Command) => {
      const { output } = contextOf(command, io);
      const store = StateStore.read(resolve(io.cwd, folder ?? "."));
      if (store === undefined) throw usageError("Setup has not been in this folder.", "name the folder that it made");
      const removals = removalsOf(io, store, options.keepBucket === true);
      const plan = removals.map(({ what, name }) => ({ remove: what, name }));
      if (options.dryRun) {
        return output.result({ plan }, plan.map(({ remove, name }) => `- ${remove} ${name}`).join("\n"));
      }
      const { name } = store.state.answers;
      await confirmLoss(io, `All streams of ${name} will be gone for good. Destroy it?`, options.yes === true);
      const credentials = await findCredentials(io, join(store.folder, WORKER_FOLDER));
      const api = new CloudflareApi({ credentials, env: io.env, signal: io.signal });
      const removed: { remove: string; name: string; wasThere: boolean }[] = [];
      for (const removal of removals) {
        const wasThere = await removal.remove(api);
        removed.push({ remove: removal.what, name: removal.name, wasThere });
        output.note(`✓ ${removal.what} ${removal.name}${wasThere ? " removed" : " was not there"}`);
      }
      // Last: until then, the same command goes on from here.
      rmSync(join(store.folder, STATE_FILE));
      await output.result({ removed }, "");
      output.note(`The files in ${store.folder} are still there.`);
    });
}

/** In the order in which each is no longer used by what comes before. What setup has found, and not made, stays. */
function removalsOf(io: Io, store: StateStore, keepBucket: boolean): readonly Removal[] {
  const { answers, isOwner, made = [] } = store.state;
  return [
    ...(isOwner === true ? [workerRemoval(answers)] : []),
    ...(made.includes("queue") ? [queueRemoval(answers)] : []),
    ...(made.includes("namespace") ? [namespaceRemoval(answers)] : []),
    ...(made.includes("bucket") && !keepBucket ? [bucketRemoval(answers)] : []),
    profileRemoval(io, store),
  ];
}

function workerRemoval({ account, name }: Answers): Removal {
  return {
    what: "worker",
    name,
    remove: async (api) => {
      if (!(await api.hasWorker(account, name))) return false;
      await api.deleteWorker(account, name);
      return true;
    },
  };
}

function queueRemoval({ account, queue }: Answers): Removal {
  const name = queue ?? "";
  return {
    what: "queue",
    name,
    remove: async (api) => {
      const id = await api.findQueue(account, name);
      if (id === undefined) return false;
      await api.deleteQueue(account, id);
      return true;
    },
  };
}

function namespaceRemoval({ account, namespace }: Answers): Removal {
  return {
    what: "namespace",
    name: namespace,
    remove: async (api) => {
      const id = await api.findNamespace(account, namespace);
      if (id === undefined) return false;
      await api.deleteNamespace(account, id);
      return true;
    },
  };
}

function bucketRemoval({ account, bucket }: Answers): Removal {
  const name = bucket ?? "";
  return {
    what: "bucket",
    name,
    remove: async (api) => {
      if (!(await api.hasBucket(account, name))) return false;
      await api.deleteBucket(account, name);
      return true;
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
