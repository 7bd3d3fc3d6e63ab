import { APPENDS } from "./appends.ts";
import { ENVELOPES, FAN_OUT, SHARDS } from "./fan-out.ts";
import { FORKS, ROLLING_FORKS } from "./forks.ts";
import type { Scenario } from "./scenario.ts";
import { FORK_CHAINS, ROLLING_STREAMS, STREAMS } from "./streams.ts";
import { PULL_WAKES, WEBHOOKS } from "./wakes.ts";

/** Everything that `npm run simulate` can run, by the names that it takes. */
export const SCENARIOS: readonly Scenario[] = [
  STREAMS,
  ROLLING_STREAMS,
  FORK_CHAINS,
  FORKS,
  ROLLING_FORKS,
  FAN_OUT,
  ENVELOPES,
  SHARDS,
  PULL_WAKES,
  WEBHOOKS,
  APPENDS,
];
