import { defineConfig } from "vitest/config";

/** The suite's own vitest run: the time-outs are vitest's, as with the suite's own command. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["suite.test.ts"],
    retry: 0,
    allowOnly: false,
  },
});
