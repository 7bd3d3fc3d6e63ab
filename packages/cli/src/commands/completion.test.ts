import { spawnSync } from "node:child_process";

import { describe, expect, it } from "vitest";

import { EXIT } from "../failure.ts";
import { runCaptured } from "../testing/captured-io.ts";

async function scriptFor(shell: string): Promise<string> {
  const { exitCode, stdout } = await runCaptured(["completion", shell]);
  expect(exitCode).toBe(EXIT.ok);
  return stdout;
}

/** The completions that bash offers for the last word. */
async function completeInBash(...words: readonly string[]): Promise<string[]> {
  const line = ["durable-streams", ...words].map((word) => `'${word}'`).join(" ");
  const asked = `COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _durable_streams; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync("bash", ["-euc", `${await scriptFor("bash")}\n${asked}`], {
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout.trim().split("\n");
}

describe("completion in bash", () => {
  it.each([
    [["str"], ["stream"]],
    [["stream", "cre"], ["create"]],
    [
      ["stream", "tail", "chat", "--li"],
      ["--lines", "--live"],
    ],
    [["--url", "http://localhost", "project", "ro"], ["rotate"]],
    [["stream", "ls", "--pre"], ["--prefix"]],
    [["completion", "--js"], ["--json"]],
  ])("of %j is %j", async (words, offered) => {
    expect(await completeInBash(...words)).toEqual(offered);
  });

  it("offers all commands", async () => {
    expect(await completeInBash("")).toEqual(expect.arrayContaining(["stream", "project", "serve", "doctor"]));
  });
});

it.each(["zsh", "fish"])("a script for %s has every command and flag with its description", async (shell) => {
  const script = await scriptFor(shell);
  for (const word of ["stream", "export", "lines", "config", "do not use colors"]) expect(script).toContain(word);
});

it("refuses other shells", async () => {
  expect(await runCaptured(["completion", "tcsh"])).toMatchObject({
    exitCode: EXIT.usage,
    stderr: expect.stringContaining("bash, zsh, fish"),
  });
});
