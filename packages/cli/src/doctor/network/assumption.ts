/** What the server takes for granted about the network that it is deployed to, and how to find out whether it is so. */

import type { Finding } from "../check.ts";
import type { Deployment } from "./deployment.ts";

export interface Assumption {
  /** Stable, because reports name it. */
  readonly id: string;
  /** One sentence that is either true or false. */
  readonly assumes: string;
  /** What is wrong for the user if it is false, and what to do then. */
  readonly otherwise: string;
  readonly check: Probe | Manual;
}

/** Carried out by `doctor --network`. */
export interface Probe {
  readonly probe: (deployment: Deployment) => Promise<Finding>;
}

/** Carried out by a person, because it needs the account, another program, or days. */
export interface Manual {
  /** What to run. `NAME` is the Worker's, `ACCOUNT` the account's id, `TOKEN` an API token that may read analytics. */
  readonly command: string;
  /** What the result says. */
  readonly look: string;
}

/** Evidence that an assumption holds. */
export function holds(detail: string): Finding {
  return { status: "ok", detail };
}

/** Evidence that an assumption is false. */
export function fails(detail: string, fix: string): Finding {
  return { status: "fail", detail, fix };
}
