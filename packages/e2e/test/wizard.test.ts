/** The wizard of `durable-streams setup` in a pseudo-terminal: to its end, and cancelled at each of its questions. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { makeFakeAccount, type FakeAccount } from "@durable-streams-cloudflare/cli/testing/fake-account";
import { expect, it, onTestFinished } from "vitest";

import { CTRL_C, DOWN, ENTER, openTerminal, WIZARD_QUESTIONS, type Terminal } from "../src/terminal.ts";

const MAIN = fileURLToPath(new URL("../../cli/src/main.ts", import.meta.url));

type OnTestFinished = (cleanUp: () => void) => void;

async function makeAccount(onTestFinished: OnTestFinished): Promise<FakeAccount> {
  const account = await makeFakeAccount();
  onTestFinished(() => account.remove());
  return account;
}

function start(command: string, { home, env }: Pick<FakeAccount, "home" | "env">, onTestFinished: OnTestFinished) {
  const terminal = openTerminal(`${process.execPath} ${MAIN} ${command}`, home, env);
  onTestFinished(() => terminal.close());
  return terminal;
}

function startWizard(account: FakeAccount, onTestFinished: OnTestFinished): Terminal {
  return start(`setup streams --url ${account.cloudflare.deployedUrl}`, account, onTestFinished);
}

it("asks, shows the plan, and carries it out", async () => {
  const account = await makeAccount(onTestFinished);
  const { cloudflare, folder } = account;
  const terminal = startWizard(account, onTestFinished);
  const keys: Readonly<Record<string, string>> = {
    "Name of the Worker": "-two\r",
    "Region of the R2 bucket": DOWN + DOWN + ENTER,
    "Turn on Workers Caching?": "y",
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
  const account = await makeAccount(onTestFinished);
  const { CLOUDFLARE_API_TOKEN: token = "", ...env } = account.env;
  const flags =
    "--name x --tenancy path --no-bucket --no-queue --namespace x --no-caching --no-domain --no-first-project";
  const command = `setup streams --url ${account.cloudflare.deployedUrl} ${flags}`;
  const terminal = start(command, { ...account, env: { ...env, FAKE_LOGIN: token } }, onTestFinished);
  await terminal.see("The account of the tests");
  terminal.type(ENTER);
  await terminal.see("Continue?");
  terminal.type(ENTER);
  expect(await terminal.exitCode).toBe(0);
  expect([...account.cloudflare.workers.keys()]).toEqual(["x"]);
});

it("cancelled while it waits for a login, has changed nothing", async () => {
  const account = await makeAccount(onTestFinished);
  const { CLOUDFLARE_API_TOKEN: _, ...env } = account.env;
  const terminal = start("setup streams --name x --tenancy path", { ...account, env }, onTestFinished);
  await terminal.see("Waiting for a browser");
  terminal.type(CTRL_C);
  expect(await terminal.exitCode).toBe(130);
  expect([existsSync(account.folder), account.cloudflare.changes]).toEqual([false, 0]);
});

it("asks before it destroys", async () => {
  const account = await makeAccount(onTestFinished);
  const { workers } = account.cloudflare;
  const terminal = start(`setup streams --yes --url ${account.cloudflare.deployedUrl}`, account, onTestFinished);
  expect(await terminal.exitCode).toBe(0);
  for (const [answer, exitCode, left] of [[ENTER, 130, 1] as const, ["y", 0, 0] as const]) {
    const destroying = start("destroy streams", account, onTestFinished);
    await destroying.see("- worker durable-streams");
    await destroying.see("deleted permanently. Continue?");
    destroying.type(answer);
    expect([await destroying.exitCode, workers.size]).toEqual([exitCode, left]);
  }
});

it("says what is wrong with an answer, and asks again", async () => {
  const terminal = startWizard(await makeAccount(onTestFinished), onTestFinished);
  await terminal.see("Name of the Worker");
  terminal.type(" Upper\r");
  await terminal.see("lower-case letters, digits and dashes");
  terminal.type(CTRL_C);
  expect(await terminal.exitCode).toBe(130);
});

it.concurrent.for(WIZARD_QUESTIONS)("cancelled at %j, has changed nothing", async (last, context) => {
  const { expect: expectHere, onTestFinished: whenFinished } = context;
  const account = await makeAccount(whenFinished);
  const terminal = startWizard(account, whenFinished);
  for (const question of WIZARD_QUESTIONS) {
    await terminal.see(question);
    if (question === last) break;
    terminal.type(ENTER);
  }
  terminal.type(CTRL_C);
  expectHere(await terminal.exitCode).toBe(130);
  expectHere(terminal.screen()).toContain("[cancelled]");
  expectHere(existsSync(account.folder)).toBe(false);
  expectHere(existsSync(join(account.home, ".config"))).toBe(false);
  expectHere(account.cloudflare.changes).toBe(0);
});
