/** The defaults of a server on one machine, as far as they differ from a deployment: safe, and curl works at once. */

import { isOnlyForLoopback } from "@durable-streams-cloudflare/core/config";

/** A default, and why it is this one. */
export interface MachineDefault {
  readonly value: string;
  readonly reason: string;
}

/** What the defaults depend on. */
export interface MachineFacts {
  /** The address that the server listens on. */
  readonly host: string;
  /** The settings that somebody has chosen, by their plain names. */
  readonly chosen: Readonly<Record<string, unknown>>;
}

/** Secrets with which the server checks credentials. Setting one implies that requests need tokens. */
const SECRETS_OF_TOKENS = ["PROJECT_SECRET", "ADMIN_SECRET"] as const;

/** One process serves all requests, and it has more memory than the 128 MB of an isolate on Cloudflare. */
const BODIES_BYTES = String(256 * 1024 * 1024);

/** The defaults by the plain names of the settings, without those that somebody has chosen. */
export function machineDefaults({ host, chosen }: MachineFacts): ReadonlyMap<string, MachineDefault> {
  const defaults = new Map<string, MachineDefault>();
  const add = (name: string, value: string, reason: string): void => {
    if (chosen[name] === undefined) defaults.set(name, { value, reason });
  };
  const valueOf = (name: string): unknown => chosen[name] ?? defaults.get(name)?.value;
  const secret = impliedBy(chosen);
  add("TENANCY", "single", "a server on one machine has one project");
  if (secret === undefined) add("AUTH_MODE", "none", "no secret is set");
  else add("AUTH_MODE", "project", `${secret} is set`);
  if (!isLoopback(host)) add("OPEN_TO", "everybody", "the server listens beyond loopback");
  add("BODIES_BYTES_MAX", BODIES_BYTES, "one process serves all requests");
  const isForThisMachine = isOnlyForLoopback({
    authMode: valueOf("AUTH_MODE") === "none" ? "none" : "project",
    openTo: valueOf("OPEN_TO") === "everybody" ? "everybody" : "loopback",
    originSecret: typeof chosen["ORIGIN_SECRET"] === "string" ? chosen["ORIGIN_SECRET"] : "",
  });
  if (isForThisMachine) {
    // Whoever can call this server could call the machine's other services without it.
    add("WEBHOOK_LOOPBACK", "allow", "only this machine has access");
    add("CORS_ORIGINS", "loopback", "only this machine has access");
  }
  return defaults;
}

/** The secret that implies AUTH_MODE=project; `undefined` if there is none. */
export function impliedBy(chosen: MachineFacts["chosen"]): string | undefined {
  return SECRETS_OF_TOKENS.find((name) => chosen[name] !== undefined && chosen[name] !== "");
}

/** A server that other machines can reach and that needs no tokens must have been requested explicitly. */
export function isUnmeantExposure({ host, chosen }: MachineFacts): boolean {
  return chosen["AUTH_MODE"] === undefined && !isLoopback(host) && impliedBy(chosen) === undefined;
}

/** Whether an address or a host name is only this machine's. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
