import { expect, it } from "vitest";

import { programOf } from "../testing/captured-io.ts";
import { ANSWER_NAMES, flagOf, defaultAnswers, NAME_DEFAULT, type Answers } from "./answers.ts";
import { findAnswers, type Prompter } from "./questions.ts";

const ACCOUNT = "0".repeat(32);
const ALL: Answers = { ...defaultAnswers(NAME_DEFAULT, "path"), account: ACCOUNT };

/** A prompter that accepts every default and records the questions. */
function prompterThatAccepts(asked: string[]): Prompter {
  return {
    confirm: async (message, preset) => (asked.push(message), preset),
    text: async (message, preset) => (asked.push(message), preset),
    select: async (message, _options, preset) => (asked.push(message), preset),
  };
}

function find(given: Partial<Answers>, prompts: Prompter | undefined): Promise<Answers> {
  const accounts = async () => [{ id: ACCOUNT, name: "mine" }];
  return findAnswers({ given, prompts, acceptsDefaults: false, api: async () => ({ accounts }) });
}

it("asks nothing if every flag is given", async () => {
  const asked: string[] = [];
  expect(await find(ALL, prompterThatAccepts(asked))).toEqual(ALL);
  expect(asked).toEqual([]);
});

it.each(ANSWER_NAMES)("what it asks if %s is not given is answered by the flag of that name", async (name) => {
  const { [name]: _, ...others } = ALL;
  const asked: string[] = [];
  expect(await find(others, prompterThatAccepts(asked))).toEqual(ALL);
  expect(asked).not.toEqual([]);
  await expect(find(others, undefined)).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringContaining(` ${flagOf(name)}.`),
  });
  const setup = programOf().commands.find((command) => command.name() === "setup");
  expect(setup?.options.map(({ long }) => long)).toContain(flagOf(name));
});
