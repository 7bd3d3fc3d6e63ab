/** All tables of one project's object. Each is created when it is first needed: most projects never need some of them. */

import { schema } from "../../kit/sql/schema.ts";
import { countersTable, streamsTable } from "./directory-rows.ts";
import { consumerChangesTable, consumersTable, consumerStreamsTable } from "./interest-rows.ts";
import { endedKeysTable, linkKeysTable } from "./link-key-rows.ts";
import { projectTable } from "./project-rows.ts";
import { publicReaderSlotsTable, readerSlotsTable } from "./reader-slot-rows.ts";
import { registryEventsTable, registryResendTable } from "./registry-event-rows.ts";
import { signingKeysTable } from "./signing-key-rows.ts";
import { storedTable, storedTotalTable } from "./stored-rows.ts";

export const PROJECT_SCHEMA = schema({
  kind: "project",
  onDemand: [
    projectTable,
    streamsTable,
    countersTable,
    storedTable,
    storedTotalTable,
    readerSlotsTable,
    publicReaderSlotsTable,
    registryEventsTable,
    registryResendTable,
    consumersTable,
    consumerStreamsTable,
    consumerChangesTable,
    signingKeysTable,
    linkKeysTable,
    endedKeysTable,
  ],
});
