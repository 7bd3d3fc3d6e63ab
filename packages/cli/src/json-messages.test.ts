import { expect, it } from "vitest";

import { JsonMessages } from "./json-messages.ts";

const ARRAYS = '[{"a":[1,2],"b":"],\\"["}, 1.0,\n12345678901234567890][][ "x\\\\" ,{\n"c":\r\nnull}]';
const MESSAGES = ['{"a":[1,2],"b":"],\\"["}', "1.0", "12345678901234567890", '"x\\\\"', '{ "c": null}'];

it("keeps the text of each message, however the input is split into chunks", () => {
  for (let size = 1; size <= ARRAYS.length; size += 1) {
    const splitter = new JsonMessages();
    const found: string[] = [];
    for (let at = 0; at < ARRAYS.length; at += size) found.push(...splitter.push(ARRAYS.slice(at, at + size)));
    expect(found).toEqual(MESSAGES);
  }
});

it("returns a message only when it is complete", () => {
  const splitter = new JsonMessages();
  expect(splitter.push("[1")).toEqual([]);
  expect(splitter.push("2,")).toEqual(["12"]);
  expect(splitter.push("3")).toEqual([]);
  expect(splitter.push("]")).toEqual(["3"]);
});
