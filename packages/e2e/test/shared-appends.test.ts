import { expect, it } from "vitest";

import { AppendConnection } from "../src/append-connection.ts";
import { create, get } from "../src/requests.ts";
import { useServer } from "../src/test-server.ts";

const WRITERS = 64;
/** So many that the engine has compiled everything that an append meets; what it makes of it then is not the same. */
const APPENDS_PER_WRITER = 450;
/** Every so many appends a writer hangs up while it waits: others may be waiting for its call. */
const HANGS_UP_EVERY = 97;

const server = useServer();

/** Appends numbered lines. @returns those that were acknowledged. */
async function write(url: string, writer: number): Promise<string[]> {
  const acknowledged: string[] = [];
  let connection = await AppendConnection.open(url);
  for (let count = 1; count <= APPENDS_PER_WRITER; count += 1) {
    const line = `${writer}-${count}`;
    if ((count + writer) % HANGS_UP_EVERY === 0) {
      connection.send(`${line}\n`);
      connection.close();
      connection = await AppendConnection.open(url);
    } else {
      const status = await connection.append(`${line}\n`);
      if (status !== 204) throw new Error(`Append ${line} was answered ${status}.`);
      acknowledged.push(line);
    }
  }
  connection.close();
  return acknowledged;
}

it("[AP15] appends that share calls are all answered, and stored once, even when clients hang up on them", async () => {
  const url = server.newUrl();
  await create(url);
  const acknowledged = await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(url, writer)));
  const { text } = await get(`${url}?offset=-1`);
  const lines = text.trimEnd().split("\n");
  expect(new Set(lines).size).toBe(lines.length);
  const isAcknowledged = new Set(acknowledged.flat());
  const writerOf = (line: string): number => Number(line.split("-")[0]);
  const stored = Map.groupBy(
    lines.filter((line) => isAcknowledged.has(line)),
    writerOf,
  );
  for (const [writer, own] of acknowledged.entries()) expect(stored.get(writer)).toEqual(own);
});
