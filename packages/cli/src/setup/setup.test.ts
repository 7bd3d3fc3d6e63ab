/** Runs setup against an API on loopback that records the calls: to the end, interrupted anywhere, and again. */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { EXIT } from "../failure.ts";
import { errorOf, runCaptured, type Ran } from "../testing/captured-io.ts";
import { makeFakeAccount } from "../testing/fake-account.ts";
import { ACCOUNT, API_TOKEN, type Cut, type FakeCloudflare } from "../testing/fake-cloudflare.ts";
import { SETUP_STEPS } from "../testing/setup-steps.ts";
import { checkNode } from "./steps.ts";

/** Calls of a complete setup that change something: install, bucket, namespace, queue, deploy, secret, project. */
const CHANGES = 7;

let home: string;
let folder: string;
let cloudflare: FakeCloudflare;
let env: Record<string, string>;

beforeEach(async () => {
  const account = await makeFakeAccount();
  onTestFinished(() => account.remove());
  ({ home, folder, cloudflare, env } = account);
});

const setup = (...flags: string[]): Promise<Ran> =>
  runCaptured(["setup", folder, "--yes", "--json", "--url", cloudflare.deployedUrl, ...flags], { env });

/** The values that a run has printed, by variable. */
function revealed({ stdout }: Ran): Record<string, string> {
  const lines = stdout
    .split("\n")
    .filter((line) => line.includes('"reveal"'))
    .map((line) => (JSON.parse(line) as { reveal: Record<string, string> }).reveal);
  return Object.assign({}, ...lines) as Record<string, string>;
}

const statusesOf = ({ stdout }: Ran): Record<string, string> =>
  Object.fromEntries(
    stdout
      .split("\n")
      .filter((line) => line.includes('"step"'))
      .map((line) => JSON.parse(line) as { step: string; status: string })
      .map(({ step, status }) => [step, status]),
  );

const filesBelow = (parent: string): string[] =>
  readdirSync(parent, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** Checks that everything exists once, and that the secrets printed last are the valid ones. */
function expectComplete(runs: readonly Ran[]): void {
  const shown = Object.assign({}, ...runs.map(revealed)) as Record<string, string>;
  expect([...cloudflare.buckets.keys()]).toEqual(["durable-streams-segments"]);
  expect([...cloudflare.namespaces.values()]).toEqual(["durable-streams-registry"]);
  expect([...cloudflare.queues.values()]).toEqual(["durable-streams-fan-out"]);
  const worker = cloudflare.workers.get("durable-streams");
  expect(worker?.secrets.get("ADMIN_SECRET")).toBe(shown["DURABLE_STREAMS_ADMIN_SECRET"]);
  expect(worker?.upload).toContain(`id = "${[...cloudflare.namespaces.keys()].join()}"`);
  expect(cloudflare.projects.get("demo")?.at(-1)).toBe(shown["DURABLE_STREAMS_SECRET"]);
  expect(readFileSync(join(home, ".config/durable-streams/profiles.json"), "utf8")).toContain(cloudflare.deployedUrl);
}

describe("setup", () => {
  it("creates everything, shows each secret once, and leaves no secret on disk", async () => {
    const ran = await setup("--region", "weur", "--caching");
    expect(ran.exitCode).toBe(EXIT.ok);
    expect(Object.keys(statusesOf(ran))).toEqual(SETUP_STEPS);
    expect(JSON.parse(ran.stdout.trim().split("\n").at(-1) ?? "")).toEqual({
      url: cloudflare.deployedUrl,
      folder,
      profile: "durable-streams",
    });
    expectComplete([ran]);
    expect(cloudflare.buckets.get("durable-streams-segments")).toEqual({ locationHint: "weur" });
    expect(cloudflare.workers.get("durable-streams")?.upload).toContain("[cache]\nenabled = true");
    for (const secret of Object.values(revealed(ran)).filter((value) => value.length > 30)) {
      expect(ran.stdout.split(secret)).toHaveLength(2);
      expect(ran.stderr).not.toContain(secret);
      for (const path of filesBelow(home)) expect(readFileSync(path, "utf8")).not.toContain(secret);
    }
  });

  it("does nothing twice and shows no secret again when it is run again", async () => {
    const first = await setup();
    cloudflare.restartCount();
    const again = await setup();
    expect(again.exitCode).toBe(EXIT.ok);
    expect(Object.entries(statusesOf(again)).filter(([, status]) => status !== "was done")).toEqual([
      ["smoke", "done"],
    ]);
    expect(cloudflare.changes).toBe(0);
    expect(revealed(again)).toEqual({});
    expectComplete([first, again]);
  });

  it.each(
    Array.from({ length: CHANGES }, (_, index) => index + 1).flatMap((at): Cut[] => [
      { at, when: "before" },
      { at, when: "after" },
    ]),
  )("resumes after being interrupted at change $at, $when its effect", async (cut) => {
    cloudflare.cut = cut;
    const first = await setup();
    expect([EXIT.failed, EXIT.unavailable]).toContain(first.exitCode);
    expect(errorOf(first).fix).toMatch(/again/);
    cloudflare.restartCount();
    const second = await setup();
    expect(second.exitCode).toBe(EXIT.ok);
    expectComplete([first, second]);
  });

  it.each([
    [1, "install"],
    [5, "wrangler"],
  ])("resumes after Ctrl-C at change %i, while %s runs", async (at) => {
    const interrupted = new AbortController();
    cloudflare.onChange = (_call, count) => {
      if (count === at) interrupted.abort();
    };
    const argv = ["setup", folder, "--yes", "--json", "--url", cloudflare.deployedUrl];
    const first = await runCaptured(argv, { env, signal: interrupted.signal });
    expect(first.exitCode).toBe(EXIT.cancelled);
    cloudflare.onChange = () => undefined;
    const second = await setup();
    expect(second.exitCode).toBe(EXIT.ok);
    expectComplete([first, second]);
  });

  it.each(SETUP_STEPS.slice(0, -1))(
    "resumes after being interrupted between the step %s and the next one",
    async (step) => {
      const interrupted = new AbortController();
      const argv = ["setup", folder, "--yes", "--json", "--url", cloudflare.deployedUrl];
      const first = await runCaptured(argv, {
        env,
        signal: interrupted.signal,
        onStdout: (text) => {
          if (text.includes(`"step":"${step}"`)) interrupted.abort();
        },
      });
      expect(first.exitCode).toBe(EXIT.cancelled);
      const second = await setup();
      expect(second.exitCode).toBe(EXIT.ok);
      expectComplete([first, second]);
    },
  );

  it("keeps a file that was changed by hand, and warns about it", async () => {
    await setup();
    const path = join(folder, "workers/streams/wrangler.toml");
    writeFileSync(path, `${readFileSync(path, "utf8")}# mine\n`);
    const again = await setup("--caching");
    expect(again.stderr).toContain("wrangler.toml was changed after");
    expect(readFileSync(path, "utf8")).toContain("# mine");
    expect(cloudflare.workers.get("durable-streams")?.upload).toContain("# mine");
  });

  it("takes a given ADMIN_SECRET from the environment, and does not print it", async () => {
    env["DURABLE_STREAMS_ADMIN_SECRET"] = "an-admin-secret-of-ones-own-0123456789";
    const ran = await setup();
    expect(cloudflare.workers.get("durable-streams")?.secrets.get("ADMIN_SECRET")).toBe(
      env["DURABLE_STREAMS_ADMIN_SECRET"],
    );
    expect(ran.stdout).not.toContain("an-admin-secret");
  });

  it("uses the login of wrangler when there is no token", async () => {
    const { CLOUDFLARE_API_TOKEN: _, ...others } = env;
    env = others;
    expect(errorOf(await setup())).toMatchObject({ code: "not-logged-in", exitCode: EXIT.refused });
    writeFileSync(join(home, "fake-login"), "expired");
    expect(errorOf(await setup())).toMatchObject({ code: "cloudflare-refused", exitCode: EXIT.refused });
    expect(existsSync(folder)).toBe(false);
    writeFileSync(join(home, "fake-login"), API_TOKEN);
    const ran = await setup();
    expect(ran.exitCode).toBe(EXIT.ok);
    expectComplete([ran]);
  });
});

it("accepts a folder in which setup was killed while it wrote its first state", async () => {
  mkdirSync(folder);
  writeFileSync(join(folder, ".durable-streams.json.7.new"), '{"vers');
  expect((await setup()).exitCode).toBe(EXIT.ok);
});

describe("setup refuses", () => {
  it.each([
    ["21.9.0", "linux", "node-too-old"],
    ["24.0.0", "win32", "system-unsupported"],
  ])("Node.js %s on %s", (node, platform, code) => {
    expect(() => checkNode(node, platform)).toThrow(expect.objectContaining({ code, exitCode: EXIT.usage }));
    expect(() => checkNode("22.0.0", "linux")).not.toThrow();
  });

  const refusal = async (...flags: string[]) => errorOf(await setup(...flags));

  it("a Worker that it did not create", async () => {
    cloudflare.workers.set("durable-streams", { upload: "", secrets: new Map() });
    expect(await refusal()).toMatchObject({ code: "worker-exists", fix: expect.stringContaining("--name") });
    expect(cloudflare.changes).toBe(0);
  });

  it("a folder that contains other files", async () => {
    writeFileSync(join(home, "something"), "");
    folder = home;
    expect(await refusal()).toMatchObject({ code: "folder-not-empty" });
  });

  it("an account without an address, before it deploys", async () => {
    cloudflare.subdomain = null;
    const ran = await runCaptured(["setup", folder, "--yes", "--json"], { env });
    expect(errorOf(ran)).toMatchObject({ code: "no-subdomain", fix: expect.stringContaining("--domain") });
    expect(cloudflare.workers.size).toBe(0);
  });

  it("an account without R2, and names the flag to do without it", async () => {
    cloudflare.hasR2 = false;
    expect(await refusal()).toMatchObject({ code: "cloudflare-refused", fix: expect.stringContaining("--no-bucket") });
    expect((await setup("--no-bucket")).exitCode).toBe(EXIT.ok);
  });

  it("to guess between accounts", async () => {
    cloudflare.accounts = [...cloudflare.accounts, { id: "f".repeat(32), name: "Another" }];
    expect(await refusal()).toMatchObject({ code: "usage", fix: expect.stringContaining(ACCOUNT) });
    expect((await setup("--account", ACCOUNT)).exitCode).toBe(EXIT.ok);
  });

  it("to turn a folder into another server", async () => {
    await setup();
    expect(await refusal("--name", "another")).toMatchObject({ code: "usage" });
  });

  it.each([
    ["--name", "Upper"],
    ["--bucket", "a/b"],
    ["--namespace", 'quoted"'],
    ["--queue", "a_b"],
    ["--domain", "localhost"],
    ["--first-project", "../x"],
    ["--account", "x"],
  ])("%s %s", async (flag, value) => {
    expect(await refusal(flag, value)).toMatchObject({ exitCode: EXIT.usage, message: expect.stringContaining(flag) });
    expect(cloudflare.calls).toEqual([]);
  });

  it("to prompt without a terminal, and names the missing flags", async () => {
    const ran = await runCaptured(["setup", folder, "--name", "x", "--json"], { env });
    expect(ran.exitCode).toBe(EXIT.usage);
    expect(errorOf(ran).message).not.toContain("--name,");
    for (const flag of [
      "--tenancy",
      "--account",
      "--bucket",
      "--namespace",
      "--region",
      "--queue",
      "--caching",
      "--domain",
    ]) {
      expect(errorOf(ran).message).toContain(flag);
    }
  });
});

describe("setup --dry-run", () => {
  it("prints the plan, calls nothing and writes nothing", async () => {
    const ran = await runCaptured(["setup", folder, "--dry-run", "--json"], { env: { HOME: home } });
    expect(ran).toMatchObject({ exitCode: EXIT.ok, stderr: "" });
    const { plan, answers } = JSON.parse(ran.stdout) as { plan: { step: string; status: string }[]; answers: object };
    expect(plan.map(({ step }) => step)).toEqual(SETUP_STEPS);
    expect(plan.every(({ status }) => status === "to do")).toBe(true);
    expect(answers).toMatchObject({ name: "durable-streams", bucket: "durable-streams-segments" });
    expect(existsSync(folder)).toBe(false);
    expect(cloudflare.calls).toEqual([]);
  });

  it("leaves out the steps that the answers do not need, and shows which steps are done", async () => {
    const flags = ["--no-bucket", "--no-queue", "--no-first-project"];
    await setup(...flags);
    const ran = await runCaptured(["setup", folder, "--dry-run", "--json"], { env });
    const { plan } = JSON.parse(ran.stdout) as { plan: { step: string; status: string }[] };
    expect(plan.map(({ step }) => step)).toEqual(
      SETUP_STEPS.filter((step) => !["bucket", "queue", "project"].includes(step)),
    );
    expect(plan.every(({ status }) => status === "done")).toBe(true);
    expect(cloudflare.buckets.size + cloudflare.queues.size + cloudflare.projects.size).toBe(0);
  });
});
