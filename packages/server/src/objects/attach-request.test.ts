import { expect, it } from "vitest";

import { decodeAttachHeader, encodeAttachHeader, fromSentAnswer, type AttachAnswer } from "./attach-request.ts";

const ANSWER: AttachAnswer = {
  ok: true,
  status: "live",
  position: 7,
  contentType: "text/plain",
  lineage: { incarnation: 1, ancestors: [] },
  tail: 7,
  closed: false,
  earliest: 0,
  lifetime: { kind: "forever" },
  retention: {},
};

/** As an object, or an edge, of the release before has it. */
const { status: standing, ...rest } = ANSWER;
const BEFORE = { ...rest, standing };

it("an edge reads what an object of the release before answers to a live reader", () => {
  expect(decodeAttachHeader(encodeURIComponent(JSON.stringify(BEFORE)))).toEqual(ANSWER);
  expect(fromSentAnswer(BEFORE)).toEqual(ANSWER);
});

it("an edge of the release before reads what an object answers to a live reader", () => {
  expect(JSON.parse(decodeURIComponent(encodeAttachHeader(ANSWER)))).toEqual(BEFORE);
});
