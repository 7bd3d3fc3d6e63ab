import { defineConfig } from "vitest/config";

/** The suite's own vitest run. It asks for what is right, not for how soon: a busy machine has time for each test. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["suite.test.ts"],
    retry: 0,
    testTimeout: 60_000,
    allowOnly: false,
  },
});
