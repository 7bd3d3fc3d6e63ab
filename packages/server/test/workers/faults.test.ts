import { patternBytes } from "@durable-streams-cloudflare/testkit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { StreamDO } from "../../src/index.ts";
import { append, content, newStream, problemCode } from "./edge.ts";
import { Family, statusOf } from "./family.ts";
import { loseNextAnswer } from "./lost-answers.ts";

const LOGGED = { vars: { LOG_LEVEL: "error" } };
/** More than two pages. */
const LARGE = new TextDecoder().decode(patternBytes(3_000_000).map((byte) => byte & 0x7f));

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a response that breaks off", () => {
  const lines: unknown[] = [];

  beforeEach(() => {
    lines.length = 0;
    vi.spyOn(console, "error").mockImplementation((line: string) => void lines.push(JSON.parse(line)));
  });

  async function readToEnd(response: Response): Promise<void> {
    await response.arrayBuffer();
  }

  it("because its stream is deleted meanwhile leaves a line that says why", async () => {
    const edge = await newStream({ ...LOGGED, body: LARGE });
    const response = await edge.fetch("?offset=-1");
    expect(await statusOf(edge, "DELETE")).toBe(204);
    await expect(readToEnd(response)).rejects.toThrow("offset-gone");
    expect(lines).toMatchObject([
      {
        "log.level": "error",
        message: "A read failed before its end.",
        "error.message": expect.stringContaining("offset-gone"),
      },
    ]);
  });

  it("because of a fault while an event stream catches up leaves a line that says why", async () => {
    const edge = await newStream({ ...LOGGED, body: LARGE });
    // Each time: a call that breaks while it is shared is made once more.
    vi.spyOn(StreamDO.prototype, "page").mockRejectedValue(new Error("a bug"));
    const response = await edge.fetch("?offset=-1&live=sse");
    expect(response.status).toBe(200);
    await expect(readToEnd(response)).rejects.toThrow("a bug");
    expect(lines).toMatchObject([
      { "log.level": "error", message: "An SSE response failed before its end.", "error.message": "a bug" },
    ]);
  });

  it("leaves no line when logging is off", async () => {
    const edge = await newStream({ body: LARGE });
    const response = await edge.fetch("?offset=-1");
    await statusOf(edge, "DELETE");
    await expect(readToEnd(response)).rejects.toThrow("offset-gone");
    expect(lines).toEqual([]);
  });
});

describe("a body that breaks off", () => {
  function brokenBody(): ReadableStream<Uint8Array> {
    let pulls = 0;
    return new ReadableStream({
      pull(controller) {
        pulls += 1;
        if (pulls === 1) controller.enqueue(new TextEncoder().encode("half"));
        else controller.error(new Error("The client went away."));
      },
    });
  }

  it.each([
    { method: "POST", headers: {}, about: "of an append" },
    { method: "POST", headers: { "Content-Length": "100" }, about: "of an append that said how long it is" },
    { method: "POST", headers: { "Stream-Closed": "true" }, about: "of a closing append" },
    { method: "POST", headers: { "Content-Encoding": "gzip" }, about: "that is compressed" },
  ])("[AP12] $about changes nothing", async ({ method, headers }) => {
    const edge = await newStream({ body: "before;" });
    const init = { method, headers: { "Content-Type": "text/plain", ...headers }, body: brokenBody() };
    const response = await edge.fetch("", init);
    expect([response.status, await problemCode(response)]).toEqual([400, "body-incomplete"]);
    expect((await append(edge, "after")).status).toBe(204);
    expect(await content(edge)).toBe("before;after");
  });

  it("[AP12] [CR8] of a create makes no stream", async () => {
    const nobody = new Family().stream("nobody");
    const init = { method: "PUT", headers: { "Content-Type": "text/plain" }, body: brokenBody() };
    const response = await nobody.fetch("", init);
    expect([response.status, await problemCode(response)]).toEqual([400, "body-incomplete"]);
    expect(await statusOf(nobody, "HEAD")).toBe(404);
  });
});

describe.each([true, false])("a delete whose answer is lost, after it was done: %s", (isDone) => {
  it("[DE6] is answered 204 all the same, and a second one according to what it finds", async () => {
    const edge = await newStream({ body: "abc" });
    loseNextAnswer("remove", isDone);
    expect(await statusOf(edge, "DELETE")).toBe(204);
    expect(await statusOf(edge, "DELETE")).toBe(404);
  });

  it("[DE6] is answered 204 also when forks keep the stream's bytes", async () => {
    const family = new Family();
    const source = await family.create("source", {}, "abc");
    const fork = await family.fork("fork", source);
    loseNextAnswer("remove", isDone);
    expect(await statusOf(source, "DELETE")).toBe(204);
    expect(await statusOf(source, "DELETE")).toBe(410);
    expect(await content(fork)).toBe("abc");
  });
});

it.each([true, false])(
  "[FK17] a fork's creation whose answer is lost is made once, after it was done: %s",
  async (isDone) => {
    const family = new Family();
    const source = await family.create("source", {}, "abc");
    loseNextAnswer("create", isDone);
    const fork = family.stream("fork");
    const response = await fork.fetch("", { method: "PUT", headers: { "Stream-Forked-From": source.path } });
    expect(response.ok).toBe(true);
    expect(await content(fork)).toBe("abc");
  },
);
