import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, expect, it } from "vitest";

import { EXIT } from "../../failure.ts";
import { errorOf, runCaptured } from "../../testing/captured-io.ts";

const home = mkdtempSync(join(tmpdir(), "profile-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const run = (...argv: string[]) => runCaptured([...argv, "--json"], { env: { XDG_CONFIG_HOME: home } });

async function shownUrl(...flags: string[]): Promise<unknown> {
  const { stdout } = await run(...flags, "config", "show");
  const { settings } = JSON.parse(stdout) as { settings: { name: string; value: string; source: string }[] };
  return settings.find(({ name }) => name === "url");
}

it("commands use the profile that was chosen, until it is removed", async () => {
  expect(await shownUrl()).toEqual({ name: "url", value: "http://localhost:4437", source: "default" });
  await run("profile", "add", "staging", "https://staging.example.com/", "--project", "demo");
  await run("profile", "add", "live", "https://live.example.com");
  await run("profile", "use", "staging");
  expect(await shownUrl()).toEqual({ name: "url", value: "https://staging.example.com", source: "profile" });
  expect(await shownUrl("--profile", "live")).toMatchObject({ value: "https://live.example.com" });
  expect(await shownUrl("--url", "http://here")).toEqual({ name: "url", value: "http://here", source: "flag" });
  expect(JSON.parse((await run("profile", "ls")).stdout)).toEqual({
    profiles: [
      { name: "staging", url: "https://staging.example.com", project: "demo", isUsed: true },
      { name: "live", url: "https://live.example.com", project: null, isUsed: false },
    ],
  });
  await run("profile", "remove", "staging");
  expect(await shownUrl()).toMatchObject({ source: "default" });
});

it.each([
  ["use", "nowhere"],
  ["remove", "nowhere"],
  ["add", "../x", "http://localhost"],
  ["add", "x", "localhost"],
])("refuses profile %s %s", async (...argv) => {
  const ran = await run("profile", ...argv);
  expect(ran.exitCode).toBe(EXIT.usage);
  expect(errorOf(ran).code).toBe("usage");
});
