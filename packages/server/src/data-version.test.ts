import { expect, it } from "vitest";

import { DATA_VERSIONS } from "./data-version.ts";
import { SCHEMA_VERSION } from "./storage/schema.ts";

it("hosts know the version of the data that the server writes", () => {
  expect(DATA_VERSIONS).toEqual({ stream: SCHEMA_VERSION });
});
