/** Which files of `test` run on which engine of one machine; `vitest.config.ts` makes its projects of it. */

/** About one engine alone, and why. All other files run on both. */
export const ABOUT_ONE_ENGINE: Readonly<Record<"node" | "workerd", Readonly<Record<string, string>>>> = {
  node: {
    "embedding.test.ts": "the server in an application's own process",
    "conformance-node.test.ts": "the official suite over HTTPS and embedded",
    "tls-node.test.ts": "HTTPS without a proxy",
    "backup-running.test.ts": "on workerd a backup needs a stopped server (cli-data.test.ts)",
    "takeover.test.ts": "takes over what workerd has stored; starts both engines itself",
    "launcher-node.test.ts": "one process, and one database for everything",
    "packages.test.ts": "installs what is published, and starts it on both engines itself",
    "bad-start-node.test.ts": "what is wrong with its one database and its files",
    "cold-bucket-node.test.ts": "its cold segments in a bucket",
    "idle-readers-node.test.ts": "what a waiting reader costs in its process",
    "many-streams-node.test.ts": "what a stream costs in its one database and its process",
    "bad-disk-node.test.ts": "what becomes of its one database, of its process, and of the others that write",
  },
  workerd: {
    "launcher-workerd.test.ts": "workerd's crashes, files and limits",
    "damaged-streams.test.ts": "a stream has a file of its own, which alone is damaged; on node: launcher-node.test.ts",
    "older-data.test.ts": "archives of what workerd has stored",
    "dev-script.test.ts": "`npm run dev`, which is wrangler",
    "wizard.test.ts": "talks to a fake of Cloudflare",
  },
};

/**
 * What `npm test` runs on workerd: the files about workerd alone, and those of the others that show what only this host does:
 * keeping data through copies and restarts, stopping, and live readers whose requests have contexts. The routes and the cold
 * segments are tested in workerd by the project `workers`. `npm run test:e2e:workerd` runs all files every night, crashes under
 * load among them, and the workflow `conformance` runs the official suite on both engines for every pull request.
 */
export const ON_WORKERD_IN_NPM_TEST: readonly string[] = [
  ...Object.keys(ABOUT_ONE_ENGINE.workerd),
  "cli-data.test.ts",
  "live-hubs.test.ts",
  "restart.test.ts",
  "stopping.test.ts",
];
