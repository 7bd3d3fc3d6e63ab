import { DurableStream } from "@durable-streams/client";
import { expect, it } from "vitest";

import { append, JSON_TYPE } from "../src/requests.ts";
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

it("only an array may be larger than one append, and not by much", async () => {
  const url = await server.newStream("", JSON_TYPE);
  const message = "x".repeat(1024 * 1024);
  const statusOf = async (value: unknown): Promise<number> =>
    (await append(url, JSON.stringify(value), JSON_TYPE)).status;
  expect(await statusOf(message.repeat(11))).toBe(413);
  expect(await statusOf(Array.from({ length: 17 }, () => message))).toBe(413);
  expect(await statusOf(Array.from({ length: 11 }, () => message))).toBe(204);
});
