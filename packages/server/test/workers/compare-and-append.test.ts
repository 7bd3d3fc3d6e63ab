import { describe, expect, it } from "vitest";

import { append, close, content, newEdge, newStream, problemCode, type Edge } from "./edge.ts";

const expecting = (offset: string) => ({ "Stream-Expected-Offset": offset });
const producer = (seq: number) => ({ "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": String(seq) });

async function tailOf(edge: Edge): Promise<string> {
  const response = await edge.fetch("", { method: "HEAD" });
  return response.headers.get("Stream-Next-Offset") ?? "";
}

/** The offset so many bytes further. */
function plus(offset: string, bytes: number): string {
  const [incarnation = "", position] = offset.split("_");
  return `${incarnation}_${String(Number(position) + bytes).padStart(16, "0")}`;
}

describe("an append that says where the stream must end", () => {
  it("[CX1] [CX2] is stored if the stream ends there; otherwise it is refused with the offset where it does", async () => {
    const edge = await newStream({ body: "a" });
    const tail = await tailOf(edge);
    const stored = await append(edge, "b", expecting(tail));
    expect([stored.status, stored.headers.get("Stream-Next-Offset")]).toEqual([204, plus(tail, 1)]);
    const refused = await append(edge, "c", expecting(tail));
    expect([refused.status, refused.headers.get("Stream-Next-Offset")]).toEqual([409, plus(tail, 1)]);
    expect(await problemCode(refused)).toBe("expected-offset-mismatch");
    expect((await append(edge, "d", expecting(plus(tail, 5)))).status).toBe(409);
    expect(await content(edge)).toBe("ab");
  });

  it("[CX1] of all that come together and expect the same, one is stored", async () => {
    const edge = await newStream();
    const tail = await tailOf(edge);
    const texts = Array.from({ length: 40 }, (_, index) => `<${index}>`);
    const statuses = await Promise.all(texts.map(async (text) => (await append(edge, text, expecting(tail))).status));
    expect(statuses.filter((status) => status === 204)).toHaveLength(1);
    expect(statuses.filter((status) => status === 409)).toHaveLength(39);
    expect(await content(edge)).toBe(texts[statuses.indexOf(204)]);
  });

  it.each(["now", "abc", "", "1_2", "0000000000000001"])(
    "[CX3] is refused when it says %j: that is not an offset",
    async (offset) => {
      const edge = await newStream();
      const response = await append(edge, "a", expecting(offset));
      expect([response.status, await problemCode(response)]).toEqual([400, "expected-offset-invalid"]);
      expect(await content(edge)).toBe("");
    },
  );

  it("[CX1] may say that the stream must be empty", async () => {
    const edge = await newStream();
    const zero = `${"0".repeat(16)}_${"0".repeat(16)}`;
    expect((await append(edge, "a", expecting("-1"))).status).toBe(204);
    expect((await append(edge, "b", expecting("-1"))).status).toBe(409);
    expect((await append(edge, "b", expecting(zero))).status).toBe(409);
    expect(await content(edge)).toBe("a");
  });

  it("[CX2] is refused when it means an earlier stream of the same URL", async () => {
    const edge = await newStream();
    const tail = await tailOf(edge);
    await edge.fetch("", { method: "DELETE" });
    expect((await append(edge, "a", expecting(tail))).status).toBe(404);
    await edge.fetch("", { method: "PUT", headers: { "Content-Type": "text/plain" } });
    const response = await append(edge, "a", expecting(tail));
    expect([response.status, response.headers.get("Stream-Next-Offset")]).toEqual([409, await tailOf(edge)]);
  });

  it("[CX2] closes the stream or leaves it open, as a whole", async () => {
    const edge = await newStream({ body: "a" });
    const tail = await tailOf(edge);
    const closing = { "Stream-Closed": "true" };
    expect((await append(edge, "b", { ...expecting(plus(tail, 1)), ...closing })).status).toBe(409);
    const closeOnly = { method: "POST", headers: { ...closing, ...expecting(plus(tail, 1)) } };
    expect((await edge.fetch("", closeOnly)).status).toBe(409);
    expect((await append(edge, "b", { ...expecting(tail), ...closing })).headers.get("Stream-Closed")).toBe("true");
    const late = await append(edge, "c", expecting(tail));
    expect([late.status, await problemCode(late)]).toEqual([409, "stream-closed"]);
    expect((await close(edge)).status).toBe(204);
  });

  it("[PR17] of a producer is a duplicate before anything else, and a gap waits for the append before it", async () => {
    const edge = await newStream();
    const tail = await tailOf(edge);
    const second = append(edge, "b", { ...producer(1), ...expecting(plus(tail, 1)) });
    const first = append(edge, "a", { ...producer(0), ...expecting(tail) });
    expect([(await first).status, (await second).status]).toEqual([200, 200]);
    expect((await append(edge, "a", { ...producer(0), ...expecting(tail) })).status).toBe(204);
    const refused = await append(edge, "c", { ...producer(2), ...expecting(tail) });
    expect([refused.status, refused.headers.get("Producer-Expected-Seq")]).toEqual([409, "2"]);
    expect((await append(edge, "c", { ...producer(2), ...expecting(plus(tail, 2)) })).status).toBe(200);
    expect(await content(edge)).toBe("abc");
  });

  it("is allowed by preflights of browsers", async () => {
    const response = await newEdge().fetch("", { method: "OPTIONS" });
    expect(response.headers.get("Access-Control-Allow-Headers")).toContain("Stream-Expected-Offset");
  });
});

describe("a Stream-Seq that is not increasing", () => {
  it("[CX4] is refused with the stream's last one, and with its end", async () => {
    const edge = await newStream();
    expect((await append(edge, "a", { "Stream-Seq": "05" })).status).toBe(204);
    const tail = await tailOf(edge);
    const response = await append(edge, "b", { "Stream-Seq": "04", ...expecting(tail) });
    expect([response.status, response.headers.get("Stream-Seq"), response.headers.get("Stream-Next-Offset")]).toEqual([
      409,
      "05",
      tail,
    ]);
    expect(await response.json()).toMatchObject({
      code: "stream-seq-regression",
      detail: expect.stringContaining("sequence"),
    });
    const mismatch = await append(edge, "b", { "Stream-Seq": "06", ...expecting(plus(tail, 1)) });
    expect(await problemCode(mismatch)).toBe("expected-offset-mismatch");
    expect((await append(edge, "b", { "Stream-Seq": "06", ...expecting(tail) })).status).toBe(204);
  });

  it("[CX4] can be avoided: HEAD returns the last one, and browsers may read it", async () => {
    const edge = await newStream();
    const head = async (): Promise<Headers> => (await edge.fetch("", { method: "HEAD" })).headers;
    expect((await head()).has("Stream-Seq")).toBe(false);
    await append(edge, "a", { "Stream-Seq": "x 1" });
    expect((await head()).get("Stream-Seq")).toBe("x 1");
    expect((await head()).get("Access-Control-Expose-Headers")).toContain("Stream-Seq,");
    await append(edge, "a", { "Stream-Seq": "é" });
    expect((await head()).has("Stream-Seq")).toBe(false);
  });
});
