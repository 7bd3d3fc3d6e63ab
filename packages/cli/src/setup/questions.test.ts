import { expect, it } from "vitest";

import { programOf } from "../testing/captured-io.ts";
import { ANSWER_NAMES, flagOf, defaultAnswers, NAME_DEFAULT, type Answers } from "./answers.ts";
import { findAnswers, type Prompter } from "./questions.ts";

const ACCOUNT = "0".repeat(32);
const ALL: Answers = { ...defaultAnswers(NAME_DEFAULT, "path"), account: ACCOUNT };

/** Somebody who takes what is suggested; what they were asked is listed. */
function somebody(asked: string[]): Prompter {
  return {
    confirm: async (message, initial) => (asked.push(message), initial),
    text: async (message, initial) => (asked.push(message), initial),
    select: async (message, _options, initial) => (asked.push(message), initial),
  };
}

function find(given: Partial<Answers>, prompts: Prompter | undefined): Promise<Answers> {
  const accounts = async () => [{ id: ACCOUNT, name: "mine" }];
  return findAnswers({ given, prompts, acceptsDefaults: false, api: async () => ({ accounts }) });
}

it("asks nothing where every flag is given", async () => {
  const asked: string[] = [];
  expect(await find(ALL, somebody(asked))).toEqual(ALL);
  expect(asked).toEqual([]);
});

it.each(ANSWER_NAMES)("what it asks where %s is not given is answered by the flag of that name", async (name) => {
  const { [name]: _, ...others } = ALL;
  const asked: string[] = [];
  expect(await find(others, somebody(asked))).toEqual(ALL);
  expect(asked).not.toEqual([]);
  await expect(find(others, undefined)).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringContaining(` ${flagOf(name)}.`),
  });
  const setup = programOf().commands.find((command) => command.name() === "setup");
  expect(setup?.options.map(({ long }) => long)).toContain(flagOf(name));
});
