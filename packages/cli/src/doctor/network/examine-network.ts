/** `doctor --network`: carries out every probe on a deployed server, and makes the report. */

import { usageError } from "../../failure.ts";
import type { Server } from "../../server.ts";
import { examine, type Check, type Report } from "../check.ts";
import type { Assumption, Probe } from "./assumption.ts";
import { ASSUMPTIONS } from "./assumptions.ts";
import { Deployment, type DeploymentOptions } from "./deployment.ts";

/** The probes of the named assumptions, of all if none is named. @throws CliError */
export function probesOf(only: readonly string[] | undefined): readonly ProbedAssumption[] {
  const all = ASSUMPTIONS.filter((each): each is ProbedAssumption => "probe" in each.check);
  const unknown = only?.find((id) => all.every((each) => each.id !== id));
  if (unknown !== undefined) {
    const names = all.map(({ id }) => id).join(", ");
    throw usageError(`There is no probe for ${JSON.stringify(unknown)}.`, `use one of ${names}`);
  }
  return all.filter(({ id }) => only === undefined || only.includes(id));
}

type ProbedAssumption = Assumption & { readonly check: Probe };

/** Runs the probes one after another, so that none disturbs the times of another. */
export async function examineNetwork(
  probes: readonly ProbedAssumption[],
  options: DeploymentOptions,
  onReport: (report: Report) => void,
): Promise<readonly Report[]> {
  const deployment = new Deployment(options);
  const checks = probes.map(({ id, check }): Check => ({ id, run: () => check.probe(deployment) }));
  try {
    return await examine(checks, options.signal, onReport);
  } finally {
    await deployment.cleanUp();
  }
}

/** The data centre that answers this machine: the end of `CF-Ray`. */
export async function coloOf(server: Server): Promise<string | undefined> {
  const { headers } = await server.send("GET", "/healthz");
  return /-([A-Z]{3})$/.exec(headers.get("CF-Ray") ?? "")?.[1];
}
