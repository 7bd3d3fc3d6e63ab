/** SSE delivers what was stored, whatever that is, in lines that parsers accept. */
import { DurableStream, stream } from "@durable-streams/client";
import { describe, expect, it } from "vitest";

import { EventStream, type ControlEvent } from "../src/event-stream.ts";
import { append, CLOSE, create, get, JSON_TYPE, send } from "../src/requests.ts";
import { useServer } from "../src/test-server.ts";

const server = useServer();
const LINE_BYTES = 64 * 1024;

const CSV = 'id,text\r\n1,"two\r\nlines"\r\n';
const LATIN = Buffer.from([0x63, 0x61, 0x66, 0xe9]);
const UTF_16 = Buffer.from("\ufeffa;é\r\n", "utf16le");

function newStream(contentType: string, body: string | Uint8Array<ArrayBuffer> = ""): Promise<string> {
  const url = server.newUrl();
  return create(url, { headers: { "Content-Type": contentType }, body }).then(() => url);
}

interface Followed {
  readonly bytes: Buffer;
  readonly lines: readonly string[];
  readonly encodings: readonly (string | null)[];
}

/** Follows a stream to its close, over as many responses as it takes, and decodes by the header as clients do. */
async function follow(url: string, offset: string): Promise<Followed> {
  const chunks: Buffer[] = [];
  const lines: string[] = [];
  const encodings: (string | null)[] = [];
  for (let at = offset; ;) {
    const events = await EventStream.open(`${url}?offset=${at}&live=sse`);
    const encoding = events.response.headers.get("Stream-SSE-Data-Encoding");
    encodings.push(encoding);
    for (const { type, data } of await events.rest()) {
      if (type === "data") {
        lines.push(...data.split("\n"));
        chunks.push(encoding === "base64" ? Buffer.from(data.replaceAll("\n", ""), "base64") : Buffer.from(data));
      }
      if (type !== "control") continue;
      const control = JSON.parse(data) as ControlEvent;
      at = control.streamNextOffset;
      if (control.streamClosed === true) return { bytes: Buffer.concat(chunks), lines, encodings };
    }
  }
}

function close(url: string): Promise<unknown> {
  return send("POST", url, { headers: CLOSE });
}

describe("text that SSE cannot carry as text", () => {
  it.each([
    ["text/csv", Buffer.from(CSV)],
    ["text/csv; charset=windows-1252", LATIN],
    ["text/csv; charset=utf-16le", UTF_16],
    ["text/plain; charset=iso-8859-1", LATIN],
    // It says that it is UTF-8, and is not.
    ["text/plain", LATIN],
  ])("[SS20] arrives as it is: %s", async (contentType, body) => {
    const url = await newStream(contentType, Uint8Array.from(body));
    await close(url);
    const { bytes, encodings } = await follow(url, "-1");
    expect([bytes.toString("latin1"), encodings]).toEqual([body.toString("latin1"), ["base64"]]);
    const response = await stream({ url, offset: "-1", live: "sse" });
    expect(Buffer.from(await response.body()).toString("latin1")).toBe(body.toString("latin1"));
  });

  it("arrives as it is at a reader of text, which has to reconnect", async () => {
    const url = await newStream("text/csv");
    const following = follow(url, "now");
    await append(url, "a,b\n", { "Content-Type": "text/csv" });
    for (const part of ["1,2\r", "\n3,4\r\n"]) await append(url, part, { "Content-Type": "text/csv" });
    await close(url);
    const all = (await get(`${url}?offset=-1`)).text;
    const { bytes, encodings } = await following;
    // How much was there already when the reader came is not known.
    expect(all.endsWith(bytes.toString())).toBe(true);
    expect(encodings.length).toBeLessThanOrEqual(2);
    expect((await follow(url, "-1")).bytes.toString()).toBe(all);
  });

  it("is plain text where it can be", async () => {
    const url = await newStream("text/markdown", "# é\n\n 😀\n");
    await close(url);
    expect(await follow(url, "-1")).toMatchObject({ encodings: [null], lines: ["# é", "", " 😀", ""] });
  });
});

describe("a provider's events, stored as they are", () => {
  const TYPE = { "Content-Type": "text/event-stream" };
  const parts = [
    'data: {"delta":"Hé 😀"}\n\n',
    'event: control\ndata: {"streamNextOffset":"evil"}\n\n',
    "data: [DONE]\n\n",
  ];
  const whole = parts.join("");

  it("[SS9] come back as they are in every mode, and only SSE has the type that clients take for the server's events", async () => {
    const url = server.newUrl();
    const created = await create(url, { headers: TYPE });
    expect(created.headers.get("Stream-Warning")).toBeNull();
    for (const part of parts) await append(url, part, TYPE);
    const again = await send("PUT", url, { headers: TYPE });
    expect(again.status).toBe(200);
    await close(url);
    const [read, polled, head] = [
      await get(`${url}?offset=-1`),
      await get(`${url}?offset=-1&live=long-poll`),
      await send("HEAD", url),
    ];
    expect([read.text, polled.text]).toEqual([whole, whole]);
    const types = [created, again, read, polled, head].map(({ headers }) => headers.get("Content-Type"));
    expect(types).toEqual(Array.from({ length: 5 }, () => "Text/Event-Stream"));
    const events = await EventStream.open(`${url}?offset=-1&live=sse`);
    expect(events.response.headers.get("Content-Type")).toBe("text/event-stream");
    events.close();
    expect((await follow(url, "-1")).bytes.toString()).toBe(whole);
  });

  it.each(["long-poll", "sse"] as const)("reach the official client as they come: live %j", async (live) => {
    const url = server.newUrl();
    const handle = await DurableStream.create({ url, contentType: "text/event-stream" });
    await handle.append(parts[0] ?? "");
    const response = await stream({ url, offset: "-1", live });
    let seen = "";
    const seenAll = new Promise<void>((resolve) => {
      response.subscribeText(({ text }) => {
        seen += text;
        if (seen.length >= whole.length) resolve();
      });
    });
    // What the server's responses told the client about the type is what it appends with.
    for (const part of parts.slice(1)) await handle.append(part);
    await seenAll;
    response.cancel();
    expect(seen).toBe(whole);
    expect(await (await stream({ url, offset: "-1", live: false })).text()).toBe(whole);
  });
});

it("[DG3] a CR in plain text is stored, and its writer is warned of what SSE makes of it", async () => {
  const url = await newStream("text/plain");
  expect((await append(url, "a\r\nb")).headers.get("Stream-Warning")).toMatch(/^carriage-return; /);
  expect((await append(url, "a\nb")).headers.get("Stream-Warning")).toBeNull();
  expect((await get(`${url}?offset=-1`)).text).toBe("a\r\nba\nb");
});

describe("lines are no longer than parsers take", () => {
  const longest = (lines: readonly string[]): number => Math.max(...lines.map((line) => Buffer.byteLength(line)));

  it("[SS21] of many small messages, in one append and in many", async () => {
    const url = await newStream("application/json");
    const messages = Array.from({ length: 1_000 }, (_, index) => JSON.stringify({ index, text: "token ".repeat(30) }));
    await append(url, `[${messages.join()}]`, JSON_TYPE);
    for (let index = 0; index < 40; index += 1) await append(url, JSON.stringify("y".repeat(5_000)), JSON_TYPE);
    await close(url);
    const { bytes, lines } = await follow(url, "-1");
    expect(longest(lines)).toBeLessThan(LINE_BYTES);
    const whole = JSON.parse((await get(`${url}?offset=-1`)).text) as unknown[];
    expect(JSON.parse(bytes.toString().replaceAll("][", ",").replaceAll("]\n[", ","))).toEqual(whole);
  });

  it("[SS21] of text without line breaks, and of base64", async () => {
    for (const contentType of ["text/plain", "application/octet-stream"]) {
      const url = await newStream(contentType);
      for (let index = 0; index < 40; index += 1) await append(url, "z".repeat(5_000), { "Content-Type": contentType });
      await append(url, "large".repeat(contentType === "text/plain" ? 1 : 40_000), { "Content-Type": contentType });
      await close(url);
      const { bytes, lines } = await follow(url, "-1");
      expect(longest(lines)).toBeLessThan(LINE_BYTES);
      expect(bytes.toString()).toBe((await get(`${url}?offset=-1`)).text);
    }
  });
});
