import { expect, it } from "vitest";

import { PagedBody } from "./paged-body.ts";

it("whoever takes a body as a stream may keep its chunks, also when pages share their memory", async () => {
  const memory = new Uint8Array(1);
  let count = 0;
  const next = async (): Promise<Uint8Array | undefined> => (count === 3 ? undefined : memory.fill((count += 1)));
  const body = new PagedBody({ bytes: 3, next, cancel: () => undefined, reusesMemory: true });
  expect(await new Response(body.stream()).bytes()).toEqual(new Uint8Array([1, 2, 3]));
});

it("a stream that is cancelled lets go of what the pages come from", async () => {
  let isCancelled = false;
  const next = async (): Promise<Uint8Array> => new Uint8Array(1);
  const reader = new PagedBody({ bytes: 2, next, cancel: () => void (isCancelled = true), reusesMemory: false })
    .stream()
    .getReader();
  await reader.read();
  await reader.cancel();
  expect(isCancelled).toBe(true);
});
