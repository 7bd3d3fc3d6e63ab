/** Which files of `test` run on which engine of one machine; `vitest.config.ts` makes its projects of it. */

/** About one engine alone, and why. All other files run on both. */
export const ABOUT_ONE_ENGINE: Readonly<Record<"node" | "workerd", Readonly<Record<string, string>>>> = {
  node: {
    "launcher-node.test.ts": "one process, and one database for everything",
  },
  workerd: {
    "launcher-workerd.test.ts": "workerd's crashes, files and limits",
    "damaged-streams.test.ts": "a stream has a file of its own, which alone is damaged; on node: launcher-node.test.ts",
    "older-data.test.ts": "archives of what workerd has stored",
    "dev-script.test.ts": "`npm run dev`, which is wrangler",
    "packages.test.ts": "installs what is published, and starts what `serve` starts by default",
    "wizard.test.ts": "talks to a fake of Cloudflare",
  },
};

/** Of the files for both, those that `npm test` runs on node as well; `npm run test:e2e:node` runs all of them. */
export const ON_NODE_IN_NPM_TEST: readonly string[] = [
  "cli-data.test.ts",
  "conformance.test.ts",
  "crash.test.ts",
  "field/*.test.ts",
  "launcher.test.ts",
  "launcher-node.test.ts",
  "notes/*.test.ts",
  "restart.test.ts",
  "session-after-kill.test.ts",
  "stopping.test.ts",
  "wake-tokens.test.ts",
  "webhook-after-kill.test.ts",
];
