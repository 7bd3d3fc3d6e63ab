/** Idempotent producers, on the wire. */
import { describe, expect, it } from "vitest";

import { sendRaw } from "../../src/raw-http.ts";
import { append, CLOSE, codeOf, get, header, JSON_TYPE, nextOffset, producer, send, TEXT } from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const server = useServer({ APPEND_BYTES_MAX: 1_024 });

describe("the producer headers", () => {
  it("[PR3] accept 2^53 - 1, and refuse 2^53", async () => {
    const url = await server.newStream();
    expect((await append(url, "x", producer(0, "9007199254740991"))).status).toBe(200);
    expect(codeOf(await append(url, "x", producer("9007199254740991", "9007199254740991")))).toBe("producer-gap");
    for (const headers of [producer(0, "9007199254740992"), producer("9007199254740992", 0)]) {
      expect(codeOf(await append(url, "x", headers))).toBe("producer-headers-invalid");
    }
  });

  it.each([
    ["Producer-Id"],
    ["Producer-Epoch"],
    ["Producer-Seq"],
    ["Producer-Id", "Producer-Epoch"],
    ["Producer-Id", "Producer-Seq"],
    ["Producer-Epoch", "Producer-Seq"],
  ])("[PR1] are 400 when only %s %s is there", async (...names) => {
    const url = await server.newStream();
    const headers = Object.fromEntries(Object.entries(producer(0)).filter(([name]) => names.includes(name)));
    const refused = await append(url, "x", headers);
    expect([refused.status, codeOf(refused)]).toEqual([400, "producer-headers-incomplete"]);
  });

  it("[PR2] bound the id to 256 characters, none of them a control character", async () => {
    const url = await server.newStream();
    expect((await append(url, "x", producer(0, 0, "p".repeat(256)))).status).toBe(200);
    for (const id of ["p".repeat(257), "a\tb", ""]) {
      expect(codeOf(await append(url, "x", producer(0, 0, id)))).toBe("producer-headers-invalid");
    }
  });

  it.each(["01", "-1", "+1", "1.0", "1e0", "0x1", "one"])(
    "[PR3] have one spelling per number: %s is 400",
    async (text) => {
      const url = await server.newStream();
      for (const headers of [producer(text), producer(0, text)]) {
        expect(codeOf(await append(url, "x", headers))).toBe("producer-headers-invalid");
      }
    },
  );
});

it("[PR10] sequences that are sent at once, in any order, are stored in order, each once", async () => {
  const url = await server.newStream("", JSON_TYPE);
  const sendUntilTaken = async (seq: number): Promise<void> => {
    for (;;) {
      const answer = await append(url, String(seq), { ...JSON_TYPE, ...producer(seq) });
      if (answer.status < 300) return;
      expect(answer.status).toBe(409);
      expect(header(answer, "Producer-Received-Seq")).toBe(String(seq));
      expect(Number(header(answer, "Producer-Expected-Seq"))).toBeLessThan(seq);
    }
  };
  const numbers = Array.from({ length: 20 }, (_, seq) => seq);
  await Promise.all([...numbers.toReversed(), ...numbers].map(sendUntilTaken));
  expect(JSON.parse((await get(url)).text)).toEqual(numbers);
});

describe("an append that fails does not advance its producer", () => {
  it.each([
    ["bad JSON", "{", {}, "json-invalid"],
    ["an empty array", "[]", {}, "json-empty-array"],
    ["a body over the limit", JSON.stringify("x".repeat(2_000)), {}, "body-too-large"],
    ["another content type", "1", TEXT, "content-type-mismatch"],
    ["a regression of Stream-Seq", "1", { "Stream-Seq": "a" }, "stream-seq-regression"],
    ["an unknown encoding", "1", { "Content-Encoding": "br" }, "content-encoding-unsupported"],
  ])("[PR12] because of %s", async (_what, body, headers, code) => {
    const url = await server.newStream("", JSON_TYPE);
    await append(url, "0", { ...JSON_TYPE, "Stream-Seq": "b" });
    expect(codeOf(await append(url, body, { ...JSON_TYPE, ...producer(0), ...headers }))).toBe(code);
    expect((await append(url, "1", { ...JSON_TYPE, ...producer(0) })).status).toBe(200);
    expect((await get(url)).text).toBe("[0,1]");
  });
});

describe("the answer has what the producer's client decides by", () => {
  it("[PR6] [PR7] 200 and 204 carry the epoch, the highest sequence and the offset", async () => {
    const url = await server.newStream();
    for (const seq of [0, 1, 2])
      expect(header(await append(url, "x", producer(seq, 4)), "Producer-Seq")).toBe(`${seq}`);
    const duplicate = await append(url, "x", producer(0, 4));
    expect(duplicate.status).toBe(204);
    expect([header(duplicate, "Producer-Epoch"), header(duplicate, "Producer-Seq")]).toEqual(["4", "2"]);
    expect(nextOffset(duplicate)).toBe(nextOffset(await get(url)));
    expect((await get(url)).text).toBe("xxx");
  });

  it("[PR4] 403 carries the current epoch", async () => {
    const url = await server.newStream();
    await append(url, "x", producer(0, 3));
    const fenced = await append(url, "x", producer(1, 2));
    expect([fenced.status, codeOf(fenced), header(fenced, "Producer-Epoch")]).toEqual([
      403,
      "producer-epoch-stale",
      "3",
    ]);
  });

  it("[PR8] the 409 of a gap carries the expected and the received sequence", async () => {
    const url = await server.newStream();
    await append(url, "x", producer(0));
    const gap = await append(url, "x", producer(7));
    expect([gap.status, codeOf(gap)]).toEqual([409, "producer-gap"]);
    expect([header(gap, "Producer-Expected-Seq"), header(gap, "Producer-Received-Seq")]).toEqual(["1", "7"]);
  });
});

describe("epochs", () => {
  it("[PR9] an unknown producer must begin at 0", async () => {
    const url = await server.newStream();
    const gap = await append(url, "x", producer(1));
    expect([gap.status, header(gap, "Producer-Expected-Seq")]).toEqual([409, "0"]);
  });

  it("[PR5] [PR4] [IN9] a new epoch must begin at 0, and continues from there", async () => {
    const url = await server.newStream();
    for (const seq of [0, 1]) await append(url, "a", producer(seq));
    expect(codeOf(await append(url, "b", producer(2, 1)))).toBe("producer-epoch-start");
    expect((await append(url, "b", producer(0, 1))).status).toBe(200);
    expect((await append(url, "b", producer(1, 1))).status).toBe(200);
    expect((await append(url, "a", producer(2, 0))).status).toBe(403);
    expect((await get(url)).text).toBe("aabb");
  });

  it("[PR14] producers do not affect each other", async () => {
    const url = await server.newStream();
    expect((await append(url, "p", producer(0, 9, "p"))).status).toBe(200);
    expect((await append(url, "q", producer(0, 0, "q"))).status).toBe(200);
  });
});

describe("the tuple that closed the stream", () => {
  it.each([
    ["with data", "last"],
    ["without data", ""],
  ])(
    "[CL8] [CL9] is a duplicate when it closed %s, even with another body, and after a restart",
    async (_how, body) => {
      const url = await server.newStream();
      await append(url, "first", producer(0));
      const close = (text: string) => send("POST", url, { headers: { ...TEXT, ...producer(1), ...CLOSE }, body: text });
      expect((await close(body)).status).toBe(body === "" ? 204 : 200);
      for (const text of [body, "another body", "{"]) {
        const repeated = await close(text);
        expect([repeated.status, header(repeated, "Stream-Closed")]).toEqual([204, "true"]);
        expect(header(repeated, "Producer-Seq")).toBe("1");
      }
      for (const headers of [producer(0), producer(2), producer(1, 1), producer(1, 0, "q")]) {
        const refused = await append(url, "x", { ...headers, ...CLOSE });
        expect([refused.status, header(refused, "Stream-Closed")]).toEqual([409, "true"]);
      }
      await server.restart();
      expect((await close(body)).status).toBe(204);
      expect((await append(url, "x", producer(2))).status).toBe(409);
      expect((await get(url)).text).toBe(`first${body}`);
    },
  );

  it("[CL8] [CL6] needs no content type when it has no body", async () => {
    const url = await server.newStream();
    const path = new URL(url).pathname;
    const close = () => sendRaw({ method: "POST", server: url, path, headers: { ...producer(0), ...CLOSE } });
    expect([(await close()).status, (await close()).status]).toEqual([204, 204]);
    expect(header(await send("HEAD", url), "Stream-Closed")).toBe("true");
  });
});

it("[PR13] [PR11] producers are remembered across a restart", async () => {
  const url = await server.newStream();
  for (const seq of [0, 1, 2]) await append(url, String(seq), producer(seq, 5));
  await server.restart();
  expect((await append(url, "2", producer(2, 5))).status).toBe(204);
  expect((await append(url, "3", producer(3, 5))).status).toBe(200);
  expect((await append(url, "x", producer(0, 4))).status).toBe(403);
  expect((await get(url)).text).toBe("0123");
});
