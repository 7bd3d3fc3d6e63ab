/** Section B of the protocol notes: idempotent producers. */
import { describe, expect, it } from "vitest";

import { sendRaw } from "../../src/raw-http.ts";
import { append, CLOSE, codeOf, get, header, JSON_TYPE, nextOffset, producer, send, TEXT } from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const server = useServer({ APPEND_BYTES_MAX: 1_024 });

describe("[B13] the producer headers", () => {
  it("[B13] take 2^53 - 1, and refuse 2^53", async () => {
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
  ])("[B13] are 400 when only %s %s is there", async (...names) => {
    const url = await server.newStream();
    const headers = Object.fromEntries(Object.entries(producer(0)).filter(([name]) => names.includes(name)));
    const refused = await append(url, "x", headers);
    expect([refused.status, codeOf(refused)]).toEqual([400, "producer-headers-incomplete"]);
  });

  it("[B13] bound the id: 256 characters, none of them control", async () => {
    const url = await server.newStream();
    expect((await append(url, "x", producer(0, 0, "p".repeat(256)))).status).toBe(200);
    for (const id of ["p".repeat(257), "a\tb", ""]) {
      expect(codeOf(await append(url, "x", producer(0, 0, id)))).toBe("producer-headers-invalid");
    }
  });

  it.each(["01", "-1", "+1", "1.0", "1e0", "0x1", "one"])(
    "[B20] have one spelling per number: %s is 400",
    async (text) => {
      const url = await server.newStream();
      for (const headers of [producer(text), producer(0, text)]) {
        expect(codeOf(await append(url, "x", headers))).toBe("producer-headers-invalid");
      }
    },
  );
});

it("[B14] numbers sent at once, in any order, end up in order, each once", async () => {
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

describe("[B16] a failed append does not advance its producer", () => {
  it.each([
    ["bad JSON", "{", {}, "json-invalid"],
    ["an empty array", "[]", {}, "json-empty-array"],
    ["a body over the limit", JSON.stringify("x".repeat(2_000)), {}, "body-too-large"],
    ["another content type", "1", TEXT, "content-type-mismatch"],
    ["a regression of Stream-Seq", "1", { "Stream-Seq": "a" }, "stream-seq-regression"],
    ["an unknown encoding", "1", { "Content-Encoding": "br" }, "content-encoding-unsupported"],
  ])("[B16] %s", async (_what, body, headers, code) => {
    const url = await server.newStream("", JSON_TYPE);
    await append(url, "0", { ...JSON_TYPE, "Stream-Seq": "b" });
    expect(codeOf(await append(url, body, { ...JSON_TYPE, ...producer(0), ...headers }))).toBe(code);
    expect((await append(url, "1", { ...JSON_TYPE, ...producer(0) })).status).toBe(200);
    expect((await get(url)).text).toBe("[0,1]");
  });
});

describe("[B17] the answer says what the producer's client decides by", () => {
  it("[B17] 200 and 204 carry epoch, the highest number and the offset", async () => {
    const url = await server.newStream();
    for (const seq of [0, 1, 2])
      expect(header(await append(url, "x", producer(seq, 4)), "Producer-Seq")).toBe(`${seq}`);
    const duplicate = await append(url, "x", producer(0, 4));
    expect(duplicate.status).toBe(204);
    expect([header(duplicate, "Producer-Epoch"), header(duplicate, "Producer-Seq")]).toEqual(["4", "2"]);
    expect(nextOffset(duplicate)).toBe(nextOffset(await get(url)));
    expect((await get(url)).text).toBe("xxx");
  });

  it("[B17] 403 carries the current epoch", async () => {
    const url = await server.newStream();
    await append(url, "x", producer(0, 3));
    const fenced = await append(url, "x", producer(1, 2));
    expect([fenced.status, codeOf(fenced), header(fenced, "Producer-Epoch")]).toEqual([
      403,
      "producer-epoch-stale",
      "3",
    ]);
  });

  it("[B17] 409 of a gap carries what was expected and what came", async () => {
    const url = await server.newStream();
    await append(url, "x", producer(0));
    const gap = await append(url, "x", producer(7));
    expect([gap.status, codeOf(gap)]).toEqual([409, "producer-gap"]);
    expect([header(gap, "Producer-Expected-Seq"), header(gap, "Producer-Received-Seq")]).toEqual(["1", "7"]);
  });
});

describe("[B18] epochs", () => {
  it("[B18] an unknown producer must start at 0", async () => {
    const url = await server.newStream();
    const gap = await append(url, "x", producer(1));
    expect([gap.status, header(gap, "Producer-Expected-Seq")]).toEqual([409, "0"]);
  });

  it("[B18] a new epoch must start at 0, and goes on from there", async () => {
    const url = await server.newStream();
    for (const seq of [0, 1]) await append(url, "a", producer(seq));
    expect(codeOf(await append(url, "b", producer(2, 1)))).toBe("producer-epoch-start");
    expect((await append(url, "b", producer(0, 1))).status).toBe(200);
    expect((await append(url, "b", producer(1, 1))).status).toBe(200);
    expect((await append(url, "a", producer(2, 0))).status).toBe(403);
    expect((await get(url)).text).toBe("aabb");
  });

  it("[B18] producers do not know of each other", async () => {
    const url = await server.newStream();
    expect((await append(url, "p", producer(0, 9, "p"))).status).toBe(200);
    expect((await append(url, "q", producer(0, 0, "q"))).status).toBe(200);
  });
});

describe("[B19] the tuple that closed the stream", () => {
  it.each([
    ["with data", "last"],
    ["without data", ""],
  ])("[B19] is a duplicate when it closed %s, also with another body, and after a restart", async (_how, body) => {
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
  });

  it("[B19] needs no content type when it has no body", async () => {
    const url = await server.newStream();
    const path = new URL(url).pathname;
    const close = () => sendRaw({ method: "POST", server: url, path, headers: { ...producer(0), ...CLOSE } });
    expect([(await close()).status, (await close()).status]).toEqual([204, 204]);
    expect(header(await send("HEAD", url), "Stream-Closed")).toBe("true");
  });
});

it("[B15] producers are remembered over a restart", async () => {
  const url = await server.newStream();
  for (const seq of [0, 1, 2]) await append(url, String(seq), producer(seq, 5));
  await server.restart();
  expect((await append(url, "2", producer(2, 5))).status).toBe(204);
  expect((await append(url, "3", producer(3, 5))).status).toBe(200);
  expect((await append(url, "x", producer(0, 4))).status).toBe(403);
  expect((await get(url)).text).toBe("0123");
});
