/** The paths by which load balancers and monitors check the server. */

export const HEALTH = "/healthz";
export const READINESS = "/readyz";
/** Of hosts that have metrics. */
export const METRICS = "/metrics";

/** Whether a path is one of the health probes. */
export function isProbe(path: string): boolean {
  return path === HEALTH || path === READINESS;
}
