/** The settings and problems of the example of a module. */

import { integer } from "@durable-streams-cloudflare/core/setting-kinds";
import { defineProblems } from "@durable-streams-cloudflare/http/modules/module-problems";

export const TALLY_SETTINGS = {
  TALLY_MAX: { ...integer(1_000, 0, 1_000_000, "how often one stream may be asked about"), path: "tally.max" },
} as const;

export const TALLY_PROBLEMS = defineProblems("tally", {
  full: { status: 409, title: "The tally is full" },
});
