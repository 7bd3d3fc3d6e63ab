import { PagedBody } from "@durable-streams-cloudflare/http/answers/paged-body";
import { PushedBody, type PieceSink } from "@durable-streams-cloudflare/http/answers/pushed-body";
import { beforeEach, expect, it } from "vitest";

import { observeBody, type BodyEnd } from "./observed-body.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

let ends: BodyEnd[];
let runs: number;
let cancels: number;

beforeEach(() => {
  ends = [];
  runs = 0;
  cancels = 0;
});

function observe<Body extends object | string | null>(body: Body): Body {
  const observer = {
    run: <T>(work: () => T): T => {
      runs += 1;
      return work();
    },
    onEnd: (end: BodyEnd) => void ends.push(end),
  };
  return observeBody({ status: 200, headers: {}, body: body as never }, observer).body as Body;
}

/** A body of pages. */
function paged(pages: readonly (string | Error)[]): PagedBody {
  const left = [...pages];
  const next = async (): Promise<Uint8Array | undefined> => {
    const page = left.shift();
    if (page instanceof Error) throw page;
    return page === undefined ? undefined : bytes(page);
  };
  return new PagedBody({ bytes: 6, next, cancel: () => void (cancels += 1), reusesMemory: false });
}

it("a body in memory, or none, has ended at once and is sent as it is", () => {
  expect([observe("text"), observe(null)]).toEqual(["text", null]);
  const inMemory = bytes("x");
  expect(observe(inMemory)).toBe(inMemory);
  expect(ends).toEqual(["complete", "complete", "complete"]);
});

it("pages are the same, as a stream too, and end with the last one", async () => {
  const body = observe(paged(["one", "two"]));
  expect(body.bytes).toBe(6);
  expect([await body.next(), await body.next()]).toEqual([bytes("one"), bytes("two")]);
  expect(ends).toEqual([]);
  expect([await body.next(), ends, runs]).toEqual([undefined, ["complete"], 3]);
  expect(await new Response(observe(paged(["one", "two"])).stream()).text()).toBe("onetwo");
});

it("pages that cannot be read, and those whose client has left, say so", async () => {
  const failed = observe(paged([new Error("broken")]));
  await expect(failed.next()).rejects.toThrow("broken");
  observe(paged([])).cancel();
  expect([ends, cancels]).toEqual([["failed", "cancelled"], 1]);
});

it("pieces are passed on with the room that there is, and end as their source or their client ends them", () => {
  const got: string[] = [];
  let sink: PieceSink | undefined;
  let pulls = 0;
  const source = {
    start: (given: PieceSink) => void (sink = given),
    pull: () => {
      pulls += 1;
      return undefined;
    },
    cancel: () => void (cancels += 1),
  };
  const start = (body: PushedBody): void =>
    body.start({
      enqueue: (piece) => void got.push(new TextDecoder().decode(piece)),
      desiredSize: 7,
      close: () => void got.push("closed"),
      error: (reason) => void got.push(String(reason)),
    });
  const body = observe(new PushedBody(source, 64));
  expect(body.bytesMax).toBe(64);
  start(body);
  body.pull();
  sink?.enqueue(bytes("one"));
  expect([sink?.desiredSize, ends]).toEqual([7, []]);
  sink?.close();
  body.cancel();
  start(observe(new PushedBody(source, 64)));
  sink?.error("broken");
  expect(got).toEqual(["one", "closed", "broken"]);
  expect([ends, pulls, cancels]).toEqual([["complete", "cancelled", "failed"], 1, 1]);
});

it("a stream is read no faster than before, and ends as it does", async () => {
  const stream = (): ReadableStream<Uint8Array> =>
    new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(bytes("one"));
        controller.close();
      },
      cancel: () => void (cancels += 1),
    });
  expect(await new Response(observe(stream())).text()).toBe("one");
  const waiting = new ReadableStream<Uint8Array>({ cancel: () => void (cancels += 1) });
  await observe(waiting).cancel();
  const broken = new ReadableStream<Uint8Array>({
    pull: () => {
      throw new Error("broken");
    },
  });
  await expect(new Response(observe(broken)).text()).rejects.toThrow("broken");
  expect([ends, cancels]).toEqual([["complete", "cancelled", "failed"], 1]);
});
