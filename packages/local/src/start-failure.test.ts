import { StorageError, TelemetryError } from "@durable-streams-cloudflare/node";
import { expect, it } from "vitest";

import { Failure } from "./failure.ts";
import { startFailure } from "./start-failure.ts";

it.each([undefined, "/data"])(
  "an error that says what to do is told as it is, with the data directory %s",
  (dataDir) => {
    for (const ErrorClass of [StorageError, TelemetryError]) {
      const told = startFailure(dataDir, new ErrorClass("It does not work.", { fix: "do this" }));
      expect(told).toBeInstanceOf(Failure);
      expect(told).toMatchObject({ message: "It does not work.", fix: "do this" });
    }
  },
);
