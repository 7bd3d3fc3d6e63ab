/** `project …` and `create-project`: what `/v1/projects` does (docs/projects.md). */

import type { Command } from "commander";

import { ENVIRONMENT } from "../connection.ts";
import { contextOf } from "../context.ts";
import { readSecret, type Io } from "../io.ts";
import { table } from "../output.ts";
import { confirmLoss } from "../prompts.ts";
import type { Server } from "../server.ts";

const ROOT = "/v1/projects";
interface Secret {
  readonly kid: string;
  readonly secret: string;
}

interface Project {
  readonly name: string;
  readonly secrets: readonly { readonly kid: string; readonly createdAtMs: number }[];
}

interface ProjectPage {
  readonly projects: readonly string[];
  readonly cursor: string | null;
}

interface CreateOptions {
  readonly secretStdin?: true;
  readonly corsOrigin?: readonly string[];
  readonly publicStream?: readonly string[];
}

export function createProjectCommand(program: Command, io: Io): void {
  program
    .command("create-project <name>")
    .description(`create a project; its secret is shown this once (needs ${ENVIRONMENT.adminSecret})`)
    .option("--secret-stdin", "a secret of your own, from stdin; without: a random one")
    .option("--cors-origin <origin...>", "origins that browsers may call from")
    .option("--public-stream <pattern...>", "streams that everybody may read: names, or prefixes that end in *")
    .action(async (name: string, options: CreateOptions, command: Command) => {
      const { output, server } = contextOf(command, io);
      const secret = options.secretStdin ? await readSecret(io.stdin) : undefined;
      const { corsOrigin: corsOrigins, publicStream: publicStreams } = options;
      const made = await createProject(server(), { name, secret, corsOrigins, publicStreams });
      await output.result(made, made.secret.secret);
      output.note(`The project ${name} is there. Its secret, on stdout, is shown this once: keep it.`);
      output.note(`Use it: export ${ENVIRONMENT.secret}=… ${ENVIRONMENT.project}=${name}`);
    });
}

function createProject(
  server: Server,
  json: { readonly name: string; readonly [setting: string]: unknown },
): Promise<{ project: Project; secret: Secret }> {
  return server.sendJson("POST", ROOT, { json, headers: server.adminAuthorization() });
}

export function projectCommand(program: Command, io: Io): void {
  const project = program.command("project").description("projects of the server, and their secrets");
  addList(project, io);
  addKeys(project, io);
  addRotate(project, io);
  addRevoke(project, io);
  addRemove(project, io);
}

function addList(project: Command, io: Io): void {
  project
    .command("list")
    .description(`names of all projects (needs ${ENVIRONMENT.adminSecret})`)
    .action(async (_options: object, command: Command) => {
      const { output, server } = contextOf(command, io);
      const projects = await listProjects(server());
      await output.result({ projects }, projects.join("\n"));
    });
}

async function listProjects(server: Server): Promise<string[]> {
  const pages = await server.sendPages<ProjectPage>(ROOT, { headers: server.adminAuthorization() });
  return pages.flatMap(({ projects }) => projects);
}

function addKeys(project: Command, io: Io): void {
  project
    .command("keys <name>")
    .description("the ids of a project's secrets, newest first")
    .action(async (name: string, _options: object, command: Command) => {
      const { output, server } = contextOf(command, io);
      const keys = await listKeys(server(), name);
      await output.result({ project: name, keys }, table(keys.map(({ kid, createdAt }) => [kid, createdAt])));
    });
}

async function listKeys(server: Server, name: string): Promise<{ kid: string; createdAt: string }[]> {
  const headers = server.adminAuthorization();
  const found = await server.sendJson<{ project: Project }>("GET", pathOf(name), { headers });
  return found.project.secrets.map(({ kid, createdAtMs }) => ({ kid, createdAt: new Date(createdAtMs).toISOString() }));
}

function addRotate(project: Command, io: Io): void {
  project
    .command("rotate <name>")
    .description("add a secret, which is shown this once; the others stay valid until you revoke them")
    .option("--secret-stdin", "a secret of your own, from stdin; without: a random one")
    .action(async (name: string, options: { secretStdin?: true }, command: Command) => {
      const { output, server } = contextOf(command, io);
      const json = options.secretStdin ? { secret: await readSecret(io.stdin) } : {};
      const to = server();
      const parts = { json, headers: to.adminAuthorization() };
      const { secret } = await to.sendJson<{ secret: Secret }>("POST", `${pathOf(name)}/secrets`, parts);
      await output.result({ project: name, secret }, secret.secret);
      output.note(`This secret has the id ${secret.kid}. Move everybody to it, then revoke the old ones:`);
      output.note(`  durable-streams project keys ${name}; durable-streams project revoke ${name} KID`);
    });
}

function addRevoke(project: Command, io: Io): void {
  project
    .command("revoke <name> <kid>")
    .description("remove a secret: tokens that it signed are void within a minute and a half")
    .option("--yes", "does not ask")
    .action(async (name: string, kid: string, options: { yes?: true }, command: Command) => {
      const { output, server } = contextOf(command, io);
      await confirmLoss(io, `Tokens signed by ${kid} will open ${name} no more. Revoke it?`, options.yes === true);
      const to = server();
      const path = `${pathOf(name)}/secrets/${encodeURIComponent(kid)}`;
      await to.sendJson("DELETE", path, { headers: to.adminAuthorization() });
      await output.result({ project: name, revoked: kid }, "");
      output.note(`Revoked ${kid} of ${name}.`);
    });
}

function addRemove(project: Command, io: Io): void {
  project
    .command("remove <name>")
    .description("remove a project and, in the background, all of its streams")
    .option("--yes", "does not ask")
    .action(async (name: string, options: { yes?: true }, command: Command) => {
      const { output, server } = contextOf(command, io);
      await confirmLoss(io, `All streams of ${name} will be deleted. Remove it?`, options.yes === true);
      const to = server();
      await to.sendJson("DELETE", pathOf(name), { headers: to.adminAuthorization() });
      await output.result({ removed: name }, "");
      output.note(`Removed ${name}; its streams are being deleted.`);
    });
}

function pathOf(name: string): string {
  return `${ROOT}/${encodeURIComponent(name)}`;
}
