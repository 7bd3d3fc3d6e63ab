import { expect, it } from "vitest";

import { objectId } from "./object-id.ts";

it("is the name that workerd gives to the file of an object", () => {
  // From the data directory of a server: the stream `hello`, and its project.
  expect(objectId("durable-streams-ProjectDO", "default")).toBe(
    "777711c593a0ae60a35a7412b9353f2f3c4ff25dc5174493bf5bc7c8b7886edc",
  );
});
