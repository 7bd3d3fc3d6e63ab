import type { ReaderAdmission } from "@durable-streams-cloudflare/core/contracts/reader-slots";
import { describe, expect, it } from "vitest";

import {
  admissionFromAttachUrl,
  attachRequest,
  decodeAttachHeader,
  encodeAttachHeader,
  fromSentAnswer,
  offsetFromAttachUrl,
  type AttachAnswer,
} from "./attach-request.ts";

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

describe("what an edge asks an object", () => {
  const from = { kind: "at", incarnation: 1, position: 7 } as const;
  const admissions: readonly ReaderAdmission[] = [
    { budget: "tokens", isLimited: false },
    { budget: "public", isLimited: true },
    { budget: "tokens", isLimited: false, takesRanges: true },
    { budget: "public", isLimited: true, takesRanges: true },
  ];

  it.each(admissions)("is read as it was meant: %j", (admission) => {
    const { url } = attachRequest(from, admission);
    expect(admissionFromAttachUrl(url)).toEqual(admission);
    expect(offsetFromAttachUrl(url)).toEqual(from);
  });

  it("is understood by an object of the release before, which knows nothing of ranges", () => {
    const { url } = attachRequest(from, { budget: "public", isLimited: true, takesRanges: true });
    expect([url.includes("&public"), url.endsWith("&limited")]).toEqual([true, true]);
  });
});

it("an edge reads what an object of the release before answers to a live reader", () => {
  expect(decodeAttachHeader(encodeURIComponent(JSON.stringify(BEFORE)))).toEqual(ANSWER);
  expect(fromSentAnswer(BEFORE)).toEqual(ANSWER);
});

it("an edge of the release before reads what an object answers to a live reader", () => {
  expect(JSON.parse(decodeURIComponent(encodeAttachHeader(ANSWER)))).toEqual(BEFORE);
});
