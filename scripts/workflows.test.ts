/** The files below .github, read as GitHub reads them. */
import { accessSync, constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it, test } from "vitest";
import { parse } from "yaml";

type Permissions = Readonly<Record<string, string>>;

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly "runs-on": string;
  readonly "timeout-minutes"?: number;
  readonly permissions?: Permissions;
  readonly environment?: string;
  readonly steps: readonly Step[];
}

interface Workflow {
  readonly name: string;
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: Permissions;
  readonly jobs: Readonly<Record<string, Job>>;
}

const root = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const load = <Content>(path: string): Content => parse(read(path)) as Content;
const filesIn = (folder: string): string[] => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);

const WORKFLOWS = filesIn(".github/workflows");
const JOBS = WORKFLOWS.flatMap((path) =>
  Object.entries(load<Workflow>(path).jobs).map(([name, job]) => ({ id: `${path} ${name}`, name, job })),
);
const { scripts: SCRIPTS } = JSON.parse(read("package.json")) as { scripts: Readonly<Record<string, string>> };

const runsOf = ({ steps }: Job): string => steps.map(({ run = "" }) => run).join("\n");
const writesOf = (permissions: Permissions = {}): string[] =>
  Object.entries(permissions).flatMap(([scope, right]) => (right === "write" ? [scope] : []));

test("there is a workflow for each kind of check", () => {
  const names = ["audit", "ci", "conformance", "nightly", "release", "scorecard", "systems"];
  expect(WORKFLOWS.toSorted()).toEqual(names.map((name) => `.github/workflows/${name}.yml`));
});

describe.each(WORKFLOWS)("%s", (path) => {
  const workflow = load<Workflow>(path);

  it("has a name, what starts it, and permissions that let nothing be written", () => {
    expect(workflow).toMatchObject({ name: expect.any(String), on: expect.any(Object) });
    expect(workflow.permissions).toBeDefined();
    expect(writesOf(workflow.permissions)).toEqual([]);
  });

  it("runs only scripts that package.json has, and files that are there and may be run", () => {
    const text = read(path);
    const scripts = [...text.matchAll(/\bnpm (?:run (?<script>[\w:-]+)|(?<short>test|start)\b)/g)].map(
      ({ groups }) => groups?.["script"] ?? groups?.["short"],
    );
    expect(scripts.filter((script) => script === undefined || !(script in SCRIPTS))).toEqual([]);
    const files = [...text.matchAll(/(?<![\w/])\.ci\/[\w-]+(?![\w/-])/g)].map(([file]) => file);
    for (const file of files) expect(() => accessSync(join(root, file), constants.X_OK)).not.toThrow();
  });
});

test.each(JOBS)("$id ends by itself, and takes actions by a commit whose version it says", ({ job }) => {
  expect(job["timeout-minutes"]).toBeGreaterThan(0);
  const uses = job.steps.flatMap((step) => step.uses ?? []);
  expect(uses.filter((action) => !/^[\w-]+\/[\w/-]+@[0-9a-f]{40}$/.test(action))).toEqual([]);
});

test("every pinned action says its version in a comment, and each version is one commit everywhere", () => {
  const lines = WORKFLOWS.flatMap((path) => read(path).match(/^.*\buses:.*$/gm) ?? []);
  expect(lines.filter((line) => !/uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual([]);
  const pins = new Set(lines.map((line) => line.replace(/^.*uses: /, "")));
  expect(new Set([...pins].map((pin) => pin.replace(/@.*$/, ""))).size).toBe(pins.size);
});

test("no job keeps the credentials of its checkout", () => {
  const checkouts = JOBS.flatMap(({ job }) => job.steps).filter(({ uses }) => uses?.startsWith("actions/checkout@"));
  expect(checkouts.length).toBeGreaterThan(0);
  for (const step of checkouts) expect(step.with).toMatchObject({ "persist-credentials": false });
});

test("only a job that runs no code of dependencies may write, and only one in a protected environment may publish", () => {
  const writing = JOBS.filter(({ job }) => writesOf(job.permissions).length > 0);
  expect(writing.map(({ name }) => name)).toEqual(["version", "publish", "release"]);
  for (const { id, job } of writing) {
    expect([id, runsOf(job)]).toEqual([id, expect.not.stringMatching(/npm (ci|install|run)|pnpm|npx|node_modules/)]);
    expect([id, "id-token" in (job.permissions ?? {})]).toEqual([id, job.environment !== undefined]);
  }
});

test("every job of the release says what it may do, and no more than it needs", () => {
  const { jobs } = load<Workflow>(".github/workflows/release.yml");
  const permissions = Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, job.permissions]));
  expect(permissions).toEqual({
    build: { contents: "read" },
    version: { contents: "write", "pull-requests": "write" },
    publish: { "id-token": "write" },
    release: { contents: "write" },
  });
});

test("the long tests run every night, each as a job of its own", () => {
  const { on, jobs } = load<Workflow>(".github/workflows/nightly.yml");
  expect(Object.keys(on).toSorted()).toEqual(["schedule", "workflow_dispatch"]);
  const { strategy } = jobs["long"] as unknown as { strategy: { matrix: { command: readonly string[] } } };
  const long = Object.keys(SCRIPTS).filter((name) => /^test:.*-/.test(name) || name === "test:soak");
  const commands = strategy.matrix.command.map((command) => /^npm run ([\w:-]+)/.exec(command)?.[1] ?? command);
  // The official suite and the end-to-end tests run on workerd, too.
  expect(commands.toSorted()).toEqual([...long, "conformance", "simulate", "test:e2e:workerd"].toSorted());
});

test("the server runs on Linux, macOS and Windows", () => {
  const { strategy, steps } = load<Workflow>(".github/workflows/systems.yml").jobs["node"] as unknown as Job & {
    strategy: { matrix: { system: readonly string[] } };
  };
  expect(strategy.matrix.system.map((system) => system.replace("-latest", ""))).toEqual(["ubuntu", "macos", "windows"]);
  // No step may need a shell of its own.
  for (const run of steps.flatMap((step) => step.run ?? [])) expect(run).toMatch(/^(npm run|node) [\w:./ -]+$/);
});

test("the tests that scripts of package.json name are there", () => {
  const paths = Object.values(SCRIPTS).flatMap((script) => script.match(/\bpackages\/\S+\.ts\b/g) ?? []);
  expect(paths.length).toBeGreaterThan(0);
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test("Dependabot looks after everything that pins a version: packages, actions, and the images", () => {
  const { updates } = load<{ updates: readonly Readonly<Record<string, unknown>>[] }>(".github/dependabot.yml");
  const images = updates.find((update) => update["package-ecosystem"] === "docker")?.["directories"];
  expect(images).toEqual(["/packages/proxy", "/packages/local"]);
  expect(updates.map((update) => update["package-ecosystem"])).toEqual(["npm", "github-actions", "docker"]);
  for (const image of images as readonly string[]) expect(existsSync(join(root, image, "Dockerfile"))).toBe(true);
});

test("a bug report asks for a reproduction, and every form has questions with ids of their own", () => {
  const forms = filesIn(".github/ISSUE_TEMPLATE").filter((path) => !path.endsWith("config.yml"));
  expect(forms.length).toBe(2);
  let first: object | undefined;
  for (const path of forms) {
    const form = load<{
      name: string;
      description: string;
      body: readonly { type: string; id?: string; validations?: object }[];
    }>(path);
    expect(form).toMatchObject({ name: expect.any(String), description: expect.any(String) });
    const questions = form.body.filter(({ type }) => type !== "markdown");
    expect(new Set(questions.map(({ id }) => id)).size).toBe(questions.length);
    if (path.endsWith("bug.yml")) first = questions[0];
  }
  expect(first).toMatchObject({ id: "reproduction", validations: { required: true } });
});
