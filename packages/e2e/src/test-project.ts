/** A project on a server with `AUTH_MODE=project`, and tokens for it. */
import { signToken } from "@durable-streams-cloudflare/testkit/token";

import { send } from "./requests.ts";

export const ADMIN_SECRET = "admin-secret-of-the-e2e-tests-0123456789";

/** What such a server is started with. */
export const PROJECT_VARS = { TENANCY: "path", AUTH_MODE: "project", ADMIN_SECRET } as const;

/** The server takes a token for so long after its `exp`. */
const SKEW_SECONDS = 30;

export interface TestProject {
  readonly name: string;
  readonly secret: string;
}

/** @param settings of the project, as `POST /v1/projects` takes them. */
export async function createProject(server: string, name: string, settings: object = {}): Promise<TestProject> {
  const headers = { Authorization: `Bearer ${ADMIN_SECRET}` };
  const body = JSON.stringify({ name, ...settings });
  const answer = await send("POST", `${server}/v1/projects`, { headers, body });
  if (answer.status !== 201) throw new Error(`the project was answered ${answer.status}: ${answer.text}`);
  const { secret } = JSON.parse(answer.text) as { secret: { secret: string } };
  return { name, secret: secret.secret };
}

/** @param seconds for how long the server will take it. */
export function tokenOf(project: TestProject, scope: string, seconds = 600): string {
  const exp = Date.now() / 1000 + seconds - SKEW_SECONDS;
  return signToken(project.secret, { sub: project.name, scope, exp });
}

export function bearer(project: TestProject, scope = "manage", seconds?: number): { Authorization: string } {
  return { Authorization: `Bearer ${tokenOf(project, scope, seconds)}` };
}
