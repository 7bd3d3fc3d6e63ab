import { DurableStream } from "@durable-streams/client";
import { expect, it } from "vitest";

import { useServer } from "../src/test-server.ts";

const server = useServer();

/** The official client makes one POST of all appends that wait. */
it("fifteen appends of 1 MiB that nobody awaits one by one are all stored", async () => {
  const url = server.newUrl();
  const stream = await DurableStream.create({ url, contentType: "application/json" });
  const messages = Array.from({ length: 15 }, (_, index) => ({ index, text: "x".repeat(1024 * 1024) }));
  await Promise.all(messages.map((message) => stream.append(JSON.stringify(message))));
  const response = await fetch(`${url}?offset=-1`);
  const stored = (await response.json()) as { readonly index: number }[];
  expect(stored.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual(messages.map(({ index }) => index));
});
