import { StreamClient } from "@durable-streams-cloudflare/http/client/stream-client";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";

import { streamObjects } from "../../src/objects/stream-objects.ts";
import { append, close, content, inObject, newStream, type Edge } from "./edge.ts";

const producer = (seq: number) => ({ "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": String(seq) });

/** The object dies when it next waits for its disk: before the write is durable, or just after. */
async function dieAtNextSync(edge: Edge, when: "before" | "after"): Promise<void> {
  await inObject(edge, (_, state) => {
    const sync = state.storage.sync.bind(state.storage);
    Object.defineProperty(state.storage, "sync", {
      value: async () => {
        if (when === "after") await sync();
        state.abort("the test ends this object");
        await new Promise(() => undefined);
      },
    });
  });
}

async function die(edge: Edge): Promise<void> {
  // Aborting fails the very call that asked for it.
  await inObject(edge, (_, state) => state.abort("the test ends this object")).catch(() => undefined);
}

describe.each(["before", "after"] as const)("the object dies %s a commit is durable, before it answers", (when) => {
  it("[AP15] and the edge repeats the append: it is stored once", async () => {
    const edge = await newStream({ body: "a" });
    await dieAtNextSync(edge, when);
    const response = await append(edge, "b");
    expect(response.status).toBe(204);
    expect(response.headers.get("Stream-Next-Offset")).toMatch(/_0000000000000002$/);
    expect(await content(edge)).toBe("ab");
  });

  it("[AP15] and every append of the batch is stored once", async () => {
    const edge = await newStream();
    await dieAtNextSync(edge, when);
    const texts = Array.from({ length: 20 }, (_, index) => `<${index}>`);
    const responses = await Promise.all(texts.map((text) => append(edge, text)));
    expect(responses.map(({ status }) => status)).toEqual(texts.map(() => 204));
    expect((await content(edge)).match(/<\d+>/g)?.toSorted()).toEqual(texts.toSorted());
  });

  it("[PR11] and a producer's append is stored once, and answered as new", async () => {
    const edge = await newStream();
    await dieAtNextSync(edge, when);
    const response = await append(edge, "a", producer(0));
    expect(response.status).toBe(200);
    expect((await append(edge, "b", producer(1))).status).toBe(200);
    expect(await content(edge)).toBe("ab");
  });

  it("[CL4] and a close with data is stored once", async () => {
    const edge = await newStream();
    await dieAtNextSync(edge, when);
    const response = await append(edge, "end", { "Stream-Closed": "true" });
    expect(response.status).toBe(204);
    expect(response.headers.get("Stream-Closed")).toBe("true");
    expect(await content(edge)).toBe("end");
    expect((await close(edge)).status).toBe(204);
  });
});

it("[IN1] [IN2] appends answered 2xx while the object dies again and again are stored exactly once, all others at most once", async () => {
  const edge = await newStream();
  const texts = Array.from({ length: 120 }, (_, index) => `<${index}>`);
  const stored = new Set<string>();
  const writers = [0, 1, 2, 3].map(async (writer) => {
    for (const text of texts.filter((_, index) => index % 4 === writer)) {
      if ((await append(edge, text)).ok) stored.add(text);
    }
  });
  const deaths = (async () => {
    for (let death = 0; death < 15; death += 1) {
      await die(edge);
      await scheduler.wait(10);
    }
  })();
  await Promise.all([...writers, deaths]);
  const found = (await content(edge)).match(/<\d+>/g) ?? [];
  expect(new Set(found).size).toBe(found.length);
  for (const text of stored) expect(found).toContain(text);
  expect(stored.size).toBeGreaterThan(0);
});

describe("what the runtime throws", () => {
  const newClient = (): StreamClient =>
    new StreamClient(
      streamObjects(env.STREAMS, (name) => name),
      `test/${crypto.randomUUID()}`,
    );

  it("when an object was reset is marked as such, and is worth another try", async () => {
    const edge = await newStream();
    const error = await inObject(edge, (_, state) => state.abort("reset")).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ durableObjectReset: true });
    let calls = 0;
    const answer = await newClient().call(async () => {
      calls += 1;
      if (calls < 3) throw error;
      return { ok: true };
    });
    expect([answer, calls]).toEqual([{ ok: true }, 3]);
  });

  it("when an object's own code failed is not worth another attempt, and is thrown at once", async () => {
    const edge = await newStream();
    const error = await inObject(edge, () => {
      throw new Error("a bug");
    }).catch((reason: unknown) => reason);
    let calls = 0;
    const failing = newClient().call(async () => {
      calls += 1;
      throw error;
    });
    await expect(failing).rejects.toThrow("a bug");
    expect(calls).toBe(1);
  });

  it.each([
    { marks: { retryable: true }, code: "unavailable", calls: 5 },
    { marks: { overloaded: true, retryable: true }, code: "unavailable", calls: 1 },
  ])("with the marks $marks ends as $code after $calls calls", async ({ marks, code, calls: expected }) => {
    let calls = 0;
    const answer = await newClient().call(async () => {
      calls += 1;
      throw Object.assign(new Error("of the runtime"), marks);
    });
    expect(answer).toMatchObject({ ok: false, problem: { code, headers: { "Retry-After": "1" } } });
    expect(calls).toBe(expected);
  });
});
