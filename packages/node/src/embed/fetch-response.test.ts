import type { Answer } from "@durable-streams-cloudflare/http/answers/answer";
import { expect, it } from "vitest";

import { respond } from "./fetch-response.ts";
import { InFlight } from "./in-flight.ts";

it("an answer that comes after its request was aborted is let go of", async () => {
  const inFlight = new InFlight(Infinity);
  const late = Promise.withResolvers<Answer>();
  const responding = respond(inFlight, () => late.promise);
  await Promise.all([expect(responding).rejects.toThrow("The server is closing."), inFlight.drain(0)]);
  const cancelled = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({ cancel: () => cancelled.resolve() }, { highWaterMark: 0 });
  late.resolve({ status: 200, headers: {}, body });
  await cancelled.promise;
});
