import { expect, it } from "vitest";

import { objectId } from "./names.ts";

it("is what workerd calls the file of an object", () => {
  // Taken from the data directory of a server: of the stream `hello`, and of the project it is in.
  expect(objectId("durable-streams-ProjectDO", "default")).toBe(
    "777711c593a0ae60a35a7412b9353f2f3c4ff25dc5174493bf5bc7c8b7886edc",
  );
});
