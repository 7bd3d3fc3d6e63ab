/** The official suite, run by `src/conformance-suite.ts` against a server that it started. */
import { runConformanceTests } from "@durable-streams/server-conformance-tests";

const { CONFORMANCE_SERVER, CONFORMANCE_LONG_POLL_MS } = process.env;
if (CONFORMANCE_SERVER === undefined) throw new Error("Run `npm run conformance` instead.");

runConformanceTests({
  baseUrl: CONFORMANCE_SERVER,
  longPollTimeoutMs: Number(CONFORMANCE_LONG_POLL_MS),
  subscriptions: true,
});
