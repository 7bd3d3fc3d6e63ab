import { describe, expect, it } from "vitest";

import { ResponseParser, type HttpAnswer } from "./response-parser.ts";

/** Parses a response that arrives in chunks of a given size. */
function parse(response: string, chunkBytes: number): HttpAnswer[] {
  const parser = new ResponseParser();
  const bytes = Buffer.from(response);
  const answers: HttpAnswer[] = [];
  // As a connection does, which receives everything in the same memory.
  const memory = Buffer.alloc(chunkBytes);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const answer = parser.take(memory.subarray(0, bytes.copy(memory, 0, at, at + chunkBytes)));
    if (answer !== undefined) answers.push(answer);
  }
  return answers;
}

describe.each([1, 2, 3, 7, 1000])("the end of a response in chunks of %i bytes is found:", (chunkBytes) => {
  it.each([
    ["no body", "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", { status: 204, bodyBytes: 0 }],
    ["a length", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", { status: 200, bodyBytes: 5 }],
    [
      "chunks",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nB\r\nhello world\r\n0\r\n\r\n",
      { status: 200, bodyBytes: 16 },
    ],
    ["no chunk", "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", { status: 404, bodyBytes: 0 }],
  ])("%s", (_, response, answer) => {
    expect(parse(response, chunkBytes)).toEqual([answer]);
  });

  it("the next response is counted from zero", () => {
    const parser = new ResponseParser();
    const response = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
    expect([parser.take(response), parser.take(response)]).toEqual([
      { status: 200, bodyBytes: 3 },
      { status: 200, bodyBytes: 3 },
    ]);
  });
});
