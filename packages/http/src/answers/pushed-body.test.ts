import { expect, it } from "vitest";

import { PushedBody, type PieceSink } from "./pushed-body.ts";

it("as a stream it has the same pieces, room and end", async () => {
  let sink: PieceSink | undefined;
  let isCancelled = false;
  const body = new PushedBody(
    { start: (given) => void (sink = given), pull: () => undefined, cancel: () => void (isCancelled = true) },
    5,
  );
  const reader = body.stream().getReader();
  sink?.enqueue(new Uint8Array([1, 2]));
  expect(sink?.desiredSize).toBe(3);
  expect((await reader.read()).value).toEqual(new Uint8Array([1, 2]));
  await reader.cancel();
  expect(isCancelled).toBe(true);
});
