import { expect, it } from "vitest";

import { DATA_VERSIONS } from "./data-version.ts";
import { ESTUARY_SCHEMA } from "./storage/estuary-rows.ts";
import { LINK_SCHEMA } from "./storage/link-rows.ts";
import { SCHEMA_VERSION } from "./storage/schema.ts";

it("hosts know the version of the data that the server writes", () => {
  expect(DATA_VERSIONS).toEqual({
    stream: SCHEMA_VERSION,
    subscription: LINK_SCHEMA.migrations.length + 1,
    estuary: ESTUARY_SCHEMA.migrations.length + 1,
  });
});
