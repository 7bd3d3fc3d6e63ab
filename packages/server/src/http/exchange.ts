/** What the handlers of one request share. */

import type { Config } from "../config.ts";
import type { Granted } from "./authorize.ts";
import type { StreamClient } from "./stream-client.ts";

export interface Exchange {
  readonly request: Request;
  readonly config: Config;
  readonly stream: StreamClient;
  readonly granted: Granted;
}
