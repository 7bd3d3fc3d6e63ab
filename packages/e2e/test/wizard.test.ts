/** The wizard of `durable-streams setup` in a pseudo-terminal: to its end, and cancelled at each of its questions. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { makeFakeAccount, type FakeAccount } from "@durable-streams-cloudflare/cli/testing/fake-account";
import { beforeEach, expect, it, onTestFinished } from "vitest";

import { CTRL_C, DOWN, ENTER, openTerminal, WIZARD_QUESTIONS, type Terminal } from "../src/terminal.ts";

const MAIN = fileURLToPath(new URL("../../cli/src/main.ts", import.meta.url));

let account: FakeAccount;

beforeEach(async () => {
  account = await makeFakeAccount();
  onTestFinished(() => account.remove());
});

const startWizard = (): Terminal => start(`setup streams --url ${account.cloudflare.deployedUrl}`);

function start(command: string, env: Readonly<Record<string, string>> = account.env): Terminal {
  const terminal = openTerminal(`${process.execPath} ${MAIN} ${command}`, account.home, env);
  onTestFinished(() => terminal.close());
  return terminal;
}

it("asks, shows the plan, and carries it out", async () => {
  const { cloudflare, folder } = account;
  const terminal = startWizard();
  const keys: Readonly<Record<string, string>> = {
    "Name of the Worker": "-two\r",
    "Where the bucket is": DOWN + DOWN + ENTER,
    "Workers Caching?": "y",
    "Name of the first project": "-two\r",
  };
  for (const question of WIZARD_QUESTIONS) {
    await terminal.see(question);
    terminal.type(keys[question] ?? ENTER);
  }
  expect(await terminal.exitCode).toBe(0);
  expect(cloudflare.buckets.get("durable-streams-two-segments")).toEqual({ locationHint: "enam" });
  expect([...cloudflare.projects.keys()]).toEqual(["demo-two"]);
  const worker = cloudflare.workers.get("durable-streams-two");
  expect(worker?.upload).toContain("[cache]");
  expect(terminal.screen()).toContain(`DURABLE_STREAMS_ADMIN_SECRET=${worker?.secrets.get("ADMIN_SECRET")}`);
  expect(terminal.screen()).toContain("✓ deploy the Worker durable-streams-two");
  expect(readFileSync(join(folder, "workers/streams/wrangler.toml"), "utf8")).toContain("durable-streams-two");
});

it("logs in first, where nobody is", async () => {
  const { CLOUDFLARE_API_TOKEN: token = "", ...env } = account.env;
  const flags =
    "--name x --tenancy path --no-bucket --no-queue --namespace x --no-caching --no-domain --no-first-project";
  const terminal = start(`setup streams --url ${account.cloudflare.deployedUrl} ${flags}`, {
    ...env,
    FAKE_LOGIN: token,
  });
  await terminal.see("The account of the tests");
  terminal.type(ENTER);
  await terminal.see("Go on?");
  terminal.type(ENTER);
  expect(await terminal.exitCode).toBe(0);
  expect([...account.cloudflare.workers.keys()]).toEqual(["x"]);
});

it("asks before it destroys", async () => {
  const { workers } = account.cloudflare;
  const terminal = start(`setup streams --yes --url ${account.cloudflare.deployedUrl}`);
  expect(await terminal.exitCode).toBe(0);
  for (const [answer, exitCode, left] of [[ENTER, 130, 1] as const, ["y", 0, 0] as const]) {
    const destroying = start("destroy streams");
    await destroying.see("Destroy it?");
    destroying.type(answer);
    expect([await destroying.exitCode, workers.size]).toEqual([exitCode, left]);
  }
});

it("tells what is wrong with an answer, and asks again", async () => {
  const terminal = startWizard();
  await terminal.see("Name of the Worker");
  terminal.type(" Upper\r");
  await terminal.see("small letters, digits and dashes");
  terminal.type(CTRL_C);
  expect(await terminal.exitCode).toBe(130);
});

it.each(WIZARD_QUESTIONS)("cancelled at %j, has changed nothing", async (last) => {
  const terminal = startWizard();
  for (const question of WIZARD_QUESTIONS) {
    await terminal.see(question);
    if (question === last) break;
    terminal.type(ENTER);
  }
  terminal.type(CTRL_C);
  expect(await terminal.exitCode).toBe(130);
  expect(terminal.screen()).toContain("[cancelled]");
  expect(existsSync(account.folder)).toBe(false);
  expect(existsSync(join(account.home, ".config"))).toBe(false);
  expect(account.cloudflare.changes).toBe(0);
});
