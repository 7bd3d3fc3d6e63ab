import { formatOffset } from "@durable-streams-cloudflare/protocol";
import { expect, it } from "vitest";

import { toEnvelopes, type SourceRange } from "./envelope.ts";

const OWNER = 1_800_000_000_000;

function envelopes(text: string, more: Partial<SourceRange>): string {
  const bytes = new Uint8Array(new TextEncoder().encode(text));
  const range = {
    source: "chat",
    contentType: "application/json",
    owner: OWNER,
    begin: 0,
    ends: [bytes.length],
    bytes,
  };
  return new TextDecoder().decode(toEnvelopes({ ...range, ...more }));
}

it("[AU1] each append has its author, where the source records them, and null where nobody is known", () => {
  const [first, second] = [formatOffset(OWNER, 2), formatOffset(OWNER, 4)];
  expect(envelopes("1,2,", { ends: [2, 4], authors: ['al"ice', null] })).toBe(
    `{"source":"chat","offset":"${first}","author":"al\\"ice","data":[1]},` +
      `{"source":"chat","offset":"${second}","author":null,"data":[2]},`,
  );
});

it("a source that records no authors has none in its envelopes", () => {
  expect(envelopes("1,", {})).toBe(`{"source":"chat","offset":"${formatOffset(OWNER, 2)}","data":[1]},`);
});

it("[AU2] what a client writes is data: it cannot stand in for the author", () => {
  const forged = `{"author":"mallory"},"author":"mallory",`;
  expect(
    JSON.parse(
      envelopes(forged, { authors: [null] })
        .slice(0, -1)
        .replace(`,"author":"mallory"]`, "]"),
    ),
  ).toEqual({
    source: "chat",
    offset: formatOffset(OWNER, forged.length),
    author: null,
    data: [{ author: "mallory" }],
  });
});
