import { expect, it } from "vitest";

import { isClosedHeader } from "./headers.ts";

it.each(["true", "TRUE", "True", "tRuE"])("[CL1] Stream-Closed: %s closes", (value) => {
  expect(isClosedHeader(value)).toBe(true);
});

it.each([null, "", "false", "yes", "1", "true;", "truee", " true", "true, true", "ｔｒｕｅ"])(
  "[CL1] Stream-Closed: %j is as if it were absent",
  (value) => {
    expect(isClosedHeader(value)).toBe(false);
  },
);
