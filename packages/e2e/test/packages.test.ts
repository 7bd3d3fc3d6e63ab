/** The published packages, tried as a new user would: from their archives, in an empty folder. */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { checkPackage, createPackageFromTarballData, type Problem } from "@arethetypeswrong/core";
import { SETUP_STEPS } from "@durable-streams-cloudflare/cli/testing/setup-steps";
import { reservePort } from "@durable-streams-cloudflare/local/port";
import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { startCli, type CliProcess } from "../src/cli-process.ts";
import { makeNewcomer, type Newcomer } from "../src/newcomer.ts";
import { catalogVersion, packPackages, runProgram, toolPath, type PackedPackage } from "../src/packed-packages.ts";
import { paste, readmeBlock, readmeBlocks } from "../src/readme-blocks.ts";
import { ENTER, openTerminal, WIZARD_QUESTIONS } from "../src/terminal.ts";

const NAMES = ["cli", "core", "http", "local", "node", "protocol", "server"];
/** All packages are for import alone; what finds nothing in them by require, or by the rules before `exports`, may not. */
const FOREIGN_RESOLUTIONS = new Set(["node10", "node16-cjs"]);

/** For what takes half a minute where a machine is busy. */
const LONG_MS = 180_000;

const BINDINGS = ["STREAMS", "PROJECTS", "SUBSCRIPTIONS", "ESTUARIES", "REGISTRY", "SEGMENTS"];

const KILL_BEFORE_DONE = fileURLToPath(import.meta.resolve("@durable-streams-cloudflare/cli/testing/kill-before-done"));

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const TEMPLATES = join(ROOT, "templates");

const workDir = mkdtempSync(join(tmpdir(), "packages-"));
/** Where a user has installed everything. */
const folder = join(workDir, "user");
let packed: PackedPackage[];

beforeAll(() => {
  packed = packPackages(workDir);
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const others = ["@cloudflare/workers-types"].map((name) => `${name}@${catalogVersion(name)}`);
  const flags = ["--prefer-offline", "--no-audit", "--no-fund"];
  runProgram(folder, "npm", ["install", ...flags, ...packed.map(({ tarball }) => tarball), ...others]);
});

afterAll(() => rmSync(workDir, { recursive: true, force: true }));

function packedAs(name: string): PackedPackage {
  const found = packed.find((one) => one.folder === name);
  if (found === undefined) throw new Error(`packages/${name} was not packed`);
  return found;
}

/** The first block of a package's README that is in this language. */
function blockOf(name: string, language: string): string {
  return readmeBlocks(`packages/${name}`).find((block) => block.language === language)?.code ?? "";
}

function concernsImports(problem: Problem): boolean {
  return !("resolutionKind" in problem && FOREIGN_RESOLUTIONS.has(problem.resolutionKind));
}

it("these are the packages that are published", () => {
  expect(packed.map((one) => one.folder).toSorted()).toEqual(NAMES);
});

describe.each(NAMES)("the archive of %s", (name) => {
  it("has nothing that publint would change", async () => {
    const tarball = readFileSync(packedAs(name).tarball);
    const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(tarball).buffer }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg ?? {}, { color: false }))).toEqual([]);
  });

  it("has types that belong to its code, for all who import it", async () => {
    const archive = createPackageFromTarballData(readFileSync(packedAs(name).tarball));
    const result = await checkPackage(archive);
    const problems = result.types === false ? ["no types"] : result.problems.filter(concernsImports);
    // The command has nothing to import.
    expect(problems).toEqual(name === "cli" ? ["no types"] : []);
  });

  it("has what a reader needs, and nothing of this workspace", () => {
    const files = runProgram(workDir, "tar", ["tzf", packedAs(name).tarball])
      .trimEnd()
      .split("\n");
    expect(files).toEqual(expect.arrayContaining(["package/LICENSE", "package/README.md", "package/package.json"]));
    const sources = files.filter((file) => /(?<!\.d)\.ts$|\.test\.|tsconfig|node_modules/.test(file));
    expect(sources).toEqual([]);
    const texts = runProgram(workDir, "tar", ["xzOf", packedAs(name).tarball]);
    for (const foreign of ["workspace:", "catalog:", process.cwd()]) expect(texts).not.toContain(foreign);
  });
});

describe("a Worker that mounts the server, as its README shows", () => {
  const project = join(folder, "worker");

  beforeAll(() => {
    mkdirSync(project, { recursive: true });
    const code = blockOf("server", "ts");
    const config = blockOf("server", "toml");
    writeFileSync(join(project, "worker.ts"), code);
    writeFileSync(
      join(project, "mine.d.ts"),
      "declare function mayUse(...facts: (string | null)[]): Promise<boolean>;\n",
    );
    writeFileSync(join(project, "wrangler.toml"), `name = "mine"\nmain = "worker.ts"\n${config}`);
    const compilerOptions = {
      strict: true,
      noEmit: true,
      target: "es2024",
      lib: ["es2024"],
      module: "esnext",
      moduleResolution: "bundler",
      types: ["@cloudflare/workers-types"],
      skipLibCheck: false,
    };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  });

  it("has the types that it needs, and they are right", () => {
    expect(runProgram(project, toolPath("tsc"), [])).toBe("");
  });

  it("bundles", () => {
    runProgram(project, toolPath("wrangler"), ["deploy", "--dry-run", "--outdir", "dist"]);
    expect(readFileSync(join(project, "dist/worker.js"), "utf8")).toMatch(/^export \{\n {2}StreamDO,$/m);
  });
});

it("the template of the Deploy button bundles as it is", () => {
  const project = join(folder, "template");
  cpSync(join(TEMPLATES, "cloudflare"), project, { recursive: true });
  const said = runProgram(project, toolPath("wrangler"), ["deploy", "--dry-run", "--outdir", "dist"]);
  for (const binding of [...BINDINGS, "RATE_LIMITER"]) {
    expect(said).toContain(`env.${binding}`);
  }
});

it("the protocol is usable as its README shows", () => {
  const code = blockOf("protocol", "ts");
  writeFileSync(join(folder, "offsets.ts"), code);
  expect(runProgram(folder, process.execPath, ["offsets.ts"])).toBe("0000000000000007_0000000000000005\n");
});

describe("the server on one machine", () => {
  const program = [join(folder, "node_modules/.bin/durable-streams"), "serve"];

  it("does not bring workerd, and says which command installs it", () => {
    const brought = ["miniflare", "workerd", "wrangler"].filter((name) =>
      existsSync(join(folder, "node_modules", name)),
    );
    expect(brought).toEqual([]);
    const flags = ["--engine", "workerd", "--port", "0", "--data-dir", join(workDir, "data-none")];
    const { status, stderr } = spawnSync(process.execPath, [...program, ...flags], { encoding: "utf8" });
    expect([status, stderr]).toEqual([1, expect.stringContaining("The engine workerd is not installed")]);
    const [, command = ""] = /npm (install --global miniflare@\S+ workerd@\S+) /.exec(stderr) ?? [];
    const args = command.replace("--global", "--prefer-offline --no-audit --no-fund").split(" ");
    expect(runProgram(folder, "npm", args)).toContain("added");
  });

  it.each(["node", "workerd"] as const)(
    "is one command on %s: it keeps what it acknowledged, and ends when told to",
    async (on) => {
      const options = { engine: on, dataDir: join(workDir, `data-${on}`), program };
      const first = await startServer(options);
      const stream = "/v1/stream/hello";
      const headers = { "Content-Type": "application/json" };
      expect((await fetch(first.url + stream, { method: "PUT", headers, body: '{"n":1}' })).status).toBe(201);
      const reader = await fetch(`${first.url}${stream}?offset=-1&live=sse`);
      expect(await first.stop()).toBe(0);
      expect(await reader.text()).toMatch(/^event: data\ndata:\[{"n":1}\]\nid: .*\n\nevent: control\n.*\n\n$/);
      const second = await startServer(options);
      expect(await (await fetch(`${second.url}${stream}?offset=-1`)).json()).toEqual([{ n: 1 }]);
      expect(await second.stop()).toBe(0);
    },
  );

  it("is a function, as its README shows, also a second time, but one on a data directory at a time", () => {
    const code = blockOf("local", "ts");
    const more = [
      'const again = await startServer({ dataDir: "data", port: 0 });',
      'await startServer({ dataDir: "data", port: 0 }).catch(({ name, fix }) => console.log(name, fix !== ""));',
      'console.log((await fetch(`${again.url}/v1/stream/hello`, { method: "HEAD" })).status);',
      "await again.stop();",
    ];
    writeFileSync(join(folder, "server.ts"), [code, ...more].join("\n"));
    expect(runProgram(folder, process.execPath, ["server.ts"])).toBe("Failure true\n200\n");
  });
});

it("the unit for systemd is where docs/serve.md copies it from", () => {
  const local = join(folder, "node_modules/@durable-streams-cloudflare/local");
  expect(readFileSync(join(local, "durable-streams.service"), "utf8")).toContain("ExecStart=");
});

describe("setup, doctor and destroy, from the archive, in an empty folder", () => {
  /** Of its steps, those that ask Cloudflare, the new server or npm's registry to do something: for what. */
  const asks: Readonly<Record<string, string>> = {
    install: "@durable-streams-cloudflare/server",
    bucket: "/r2/buckets",
    namespace: "/storage/kv/namespaces",
    queue: "/queues",
    deploy: "/workers/scripts/durable-streams?",
    secret: "/workers/scripts/durable-streams/secrets",
    project: "/v1/projects",
  };
  const home = join(workDir, "empty");
  const made = join(home, "durable-streams");
  let newcomer: Newcomer;
  let printed = "";

  beforeAll(async () => {
    newcomer = await makeNewcomer(packed);
    mkdirSync(home);
  });

  afterAll(() => newcomer.leave());

  /** @param killBeforeDone the step after which it is killed, before it has written down that this is done. */
  function start(argv: readonly string[], killBeforeDone?: string): CliProcess {
    const { CLOUDFLARE_API_TOKEN } = newcomer.account.env;
    const preload = killBeforeDone === undefined ? [] : ["--import", KILL_BEFORE_DONE];
    const main = join(folder, "node_modules/@durable-streams-cloudflare/cli/dist/main.js");
    const around = { ...newcomer.env, CLOUDFLARE_API_TOKEN, KILL_BEFORE_DONE: killBeforeDone };
    return startCli([...argv, "--json"], around, [...preload, main], home);
  }

  const startSetup = (killBeforeDone?: string): CliProcess =>
    start(["setup", "--yes", "--url", newcomer.account.cloudflare.deployedUrl], killBeforeDone);

  it("shows its plan", async () => {
    const { exitCode, stdout } = await start(["setup", "--dry-run"]).ended;
    expect(exitCode).toBe(0);
    const { plan, ...others } = JSON.parse(stdout) as { plan: { step: string }[]; folder: string; answers: object };
    expect(others).toEqual({
      folder: made,
      answers: expect.objectContaining({ name: "durable-streams" }),
    });
    expect(plan.map(({ step }) => step)).toEqual(SETUP_STEPS);
    expect(readdirSync(home)).toEqual([]);
  });

  // Each goes on where the one before it was killed.
  it.each(SETUP_STEPS)("killed in the step %s, and after it, goes on from there", async (step) => {
    for (const what of asks[step] === undefined ? [undefined] : [asks[step], undefined]) {
      const running = startSetup(step);
      const killIfAsked = (asked: string): void => {
        if (what !== undefined && asked.includes(what)) running.kill("SIGKILL");
      };
      newcomer.registry.onLookup = killIfAsked;
      newcomer.account.cloudflare.onChange = ({ path }) => killIfAsked(path);
      const { exitCode, stdout, stderr } = await running.ended;
      expect([exitCode, stderr]).toEqual([null, expect.not.stringContaining("error")]);
      printed += stdout;
    }
  });

  it("has then deployed the packed server, once, and shown the secrets that open it", async () => {
    const { exitCode, stdout } = await startSetup().ended;
    expect(exitCode).toBe(0);
    printed += stdout;
    const { workers, buckets, namespaces, queues, projects } = newcomer.account.cloudflare;
    expect([workers.size, buckets.size, namespaces.size, queues.size, projects.size]).toEqual([1, 1, 1, 1, 1]);
    const worker = workers.get("durable-streams");
    const [, metadata = "{}"] = /name="metadata"\r\n\r\n(.*)\r\n/.exec(worker?.upload ?? "") ?? [];
    const { bindings } = JSON.parse(metadata) as { bindings: { name: string }[] };
    expect(bindings.map(({ name }) => name)).toEqual(expect.arrayContaining(BINDINGS));
    expect(worker?.upload).toContain("class StreamDO");
    expect(lastShown("ADMIN_SECRET")).toBe(worker?.secrets.get("ADMIN_SECRET"));
    expect(lastShown("SECRET")).toBe(projects.get("demo")?.at(-1));
  });

  async function doctor(): Promise<Record<string, { status: string; detail: string }>> {
    const { stdout } = await start(["doctor", made]).ended;
    const { checks } = JSON.parse(stdout) as { checks: { check: string; status: string; detail: string }[] };
    return Object.fromEntries(checks.map(({ check, status, detail }) => [check, { status, detail }]));
  }

  it("doctor finds the folder and the account healthy", async () => {
    const found = await doctor();
    const all = ["node", "wrangler", "login", "bindings", "migrations", "deployed", "applied", "secrets", "server"];
    for (const check of all) {
      expect([check, found[check]]).toEqual([check, { status: "ok", detail: expect.any(String) }]);
    }
  });

  it("doctor finds a class that is not exported and that no migration makes, an old deployment, a lost secret", async () => {
    const { workers } = newcomer.account.cloudflare;
    const config = join(made, "workers/streams/wrangler.toml");
    const text = readFileSync(config, "utf8");
    const mine = `[[durable_objects.bindings]]\nname = "MINE"\nclass_name = "MineDO"\n`;
    const pending = `[[migrations]]\ntag = "v2"\nnew_sqlite_classes = ["OtherDO"]\n`;
    writeFileSync(config, `${text}\n${mine}\n${pending}`);
    const { upload = "" } = workers.get("durable-streams") ?? {};
    workers.set("durable-streams", { upload, migrationTag: "v1", secrets: new Map() });
    const found = await doctor();
    expect(found["bindings"]).toEqual({ status: "fail", detail: expect.stringContaining("MineDO") });
    expect(found["migrations"]).toEqual({ status: "fail", detail: expect.stringContaining("MineDO") });
    expect(found["applied"]).toEqual({ status: "fail", detail: expect.stringContaining("v1") });
    expect(found["secrets"]).toMatchObject({ status: "fail" });
    writeFileSync(config, text);
  });

  it("destroy says what would go, asks, and removes what setup has made, and nothing else", async () => {
    const { workers, buckets, namespaces, queues } = newcomer.account.cloudflare;
    buckets.set("of-somebody-else", {});
    const { plan } = JSON.parse((await start(["destroy", made, "--dry-run"]).ended).stdout) as {
      plan: { remove: string }[];
    };
    expect(plan.map(({ remove }) => remove)).toEqual(["worker", "queue", "namespace", "bucket", "profile"]);
    expect((await start(["destroy", made]).ended).exitCode).toBe(2);
    expect(workers.size).toBe(1);
    expect((await start(["destroy", made, "--yes"]).ended).exitCode).toBe(0);
    expect([workers.size, queues.size, namespaces.size, [...buckets.keys()]]).toEqual([0, 0, 0, ["of-somebody-else"]]);
    expect(existsSync(join(made, ".durable-streams.json"))).toBe(false);
    const profiles = join(newcomer.account.home, ".config/durable-streams/profiles.json");
    expect(readFileSync(profiles, "utf8").trim()).toBe("{}");
  });

  function lastShown(name: string): string | undefined {
    return [...printed.matchAll(new RegExp(`"DURABLE_STREAMS_${name}":"(.*?)"`, "g"))].at(-1)?.[1];
  }
});

it(
  "setup takes the archives of a clone, whose packages npm does not have, as the README says",
  async () => {
    const newcomer = await makeNewcomer([]);
    onTestFinished(() => newcomer.leave());
    const [pack = "", setup = ""] = readmeBlock("npm run pack").split("\n");
    const printed = pack.replace("npm run pack -- ", "");
    const { CLOUDFLARE_API_TOKEN } = newcomer.account.env;
    const flags = `${join(workDir, "from-clone")} --yes --url ${newcomer.account.cloudflare.deployedUrl}`;
    const code = `${setup.replace(printed, workDir)} ${flags}`;
    const ran = await paste(code, { cwd: ROOT, env: { ...newcomer.env, CLOUDFLARE_API_TOKEN } });
    expect([ran.exitCode, ran.stderr]).toEqual([0, expect.stringContaining("The server is running at ")]);
    expect(newcomer.account.cloudflare.workers.get("durable-streams")?.upload).toContain("class StreamDO");
  },
  LONG_MS,
);

/**
 * As they are printed, but for what cannot be the same here: the port that a login comes back to, the address of the "deployed"
 * server, which is one on this machine, and the secret, which is the one that setup has shown.
 */
describe("the README's commands to deploy, from the archives", () => {
  let newcomer: Newcomer;
  let server: ServerProcess | undefined;
  let secret = "";

  beforeAll(async () => {
    newcomer = await makeNewcomer(packed);
    // What npx would fetch first, as it would any other package.
    symlinkSync(join(toolPath("wrangler"), "../../wrangler"), join(folder, "node_modules/wrangler"));
    symlinkSync("../wrangler/bin/wrangler.js", join(folder, "node_modules/.bin/wrangler"));
  });

  afterAll(async () => {
    await server?.kill9();
    newcomer.leave();
  });

  it(
    "log in, and set the server up",
    async () => {
      const { account, env, loginPort } = newcomer;
      const { cloudflare } = account;
      const port = await reservePort("127.0.0.1", 0);
      cloudflare.onChange = ({ path, body }) => void startDeployed(path, body, port);
      const code = readmeBlock("npx wrangler login")
        .replace("wrangler login", `wrangler login --callback-port ${loginPort}`)
        .replace("cli setup", `cli setup --url http://localhost:${port}`);
      writeFileSync(join(folder, "block.sh"), code);
      const terminal = openTerminal("bash -e block.sh", folder, env);
      onTestFinished(() => terminal.close());
      // Whoever answers nothing gets what is suggested.
      for (const question of WIZARD_QUESTIONS) {
        await terminal.see(question);
        terminal.type(ENTER);
      }
      expect(await terminal.exitCode).toBe(0);
      expect(terminal.screen()).toContain("Successfully logged in.");
      expect([...cloudflare.workers.keys()]).toEqual(["durable-streams"]);
      [, secret = ""] = /DURABLE_STREAMS_SECRET=(\S+)/.exec(terminal.screen()) ?? [];
    },
    LONG_MS,
  );

  /** What is "deployed" answers once its secret is set. */
  async function startDeployed(path: string, body: string, port: number): Promise<void> {
    if (!path.endsWith("/durable-streams/secrets")) return;
    const { text } = JSON.parse(body) as { text: string };
    const vars = { TENANCY: "path", AUTH_MODE: "project", ADMIN_SECRET: text };
    server = await startServer({ dataDir: join(workDir, "deployed"), port, vars });
  }

  it("and use it, with the secret of the first project", async () => {
    const code = readmeBlock("export DURABLE_STREAMS_SECRET").replace("...", secret);
    const { exitCode, stdout, stderr } = await paste(code, { cwd: folder, env: newcomer.env });
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining("✓ round-trip")]);
    expect(stdout).toContain('{"text":"hello"}\n');
  });
});

it("the command prints its version and its help", () => {
  const command = join(folder, "node_modules/.bin/durable-streams");
  expect(runProgram(folder, command, ["--version"])).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(runProgram(folder, command, ["serve", "--help"])).toContain("durable-streams serve [flags]");
});
