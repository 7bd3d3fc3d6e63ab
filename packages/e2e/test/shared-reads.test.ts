import { expect, it } from "vitest";

import { create, get, send, TEXT } from "../src/requests.ts";
import { useServer } from "../src/test-server.ts";

const READERS = 24;
const READS_PER_READER = 90;
/** Every so many reads a client hangs up while it waits: others may be waiting for its call. */
const HANGS_UP_EVERY = 31;
const LINE = "a line\n";

const server = useServer();

it("reads that share calls are all answered, with all that was acknowledged before, also when clients hang up", async () => {
  const url = server.newUrl();
  await create(url);
  let acknowledged = 0;
  let isDone = false;
  const write = async (): Promise<void> => {
    while (!isDone) {
      expect((await send("POST", url, { headers: TEXT, body: LINE })).status).toBe(204);
      acknowledged += 1;
    }
  };
  const read = async (reader: number): Promise<void> => {
    for (let count = 0; count < READS_PER_READER; count += 1) {
      if ((count + reader) % HANGS_UP_EVERY === 0) {
        await fetch(`${url}?offset=-1`, { signal: AbortSignal.timeout(1) }).catch(() => undefined);
        continue;
      }
      const before = acknowledged;
      const { status, text } = await get(`${url}?offset=-1`);
      expect(status).toBe(200);
      expect(text.length).toBeGreaterThanOrEqual(before * LINE.length);
      expect(text.replaceAll(LINE, "")).toBe("");
    }
  };
  const writing = write();
  await Promise.all(Array.from({ length: READERS }, (_, reader) => read(reader)));
  isDone = true;
  await writing;
  expect(acknowledged).toBeGreaterThan(0);
});
