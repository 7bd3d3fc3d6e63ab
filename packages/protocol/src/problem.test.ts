import { describe, expect, it } from "vitest";

import {
  producerSeqHeaders,
  kindOf,
  PROBLEMS,
  refuse,
  refuseClosed,
  refuseGap,
  refuseNotFound,
  refuseStaleEpoch,
  type Refusal,
} from "./problem.ts";

const codes = Object.keys(PROBLEMS);
const kinds = Object.entries(PROBLEMS);

function headersOf({ problem }: Refusal) {
  return problem.headers;
}

describe("the problem table", () => {
  it("is in alphabetical order", () => {
    expect(codes).toEqual(codes.toSorted());
  });

  it.each(kinds)(
    "[SC14] %s has a code in kebab case, an error status, and a title of its own",
    (code, { status, title }) => {
      expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(600);
      expect(title).toMatch(/^[A-Z][^.]+[^.\s]$/);
      expect(kinds.filter(([, other]) => other.title === title)).toHaveLength(1);
    },
  );

  it("[SC14] lets a request be repeated only where the server was at fault, or asks for patience", () => {
    const isFinal = ({ retry, effects }: (typeof kinds)[number][1]): boolean =>
      (retry === "never" || retry === "with-new-token") && effects === "none";
    const repeatable = kinds.filter(([, kind]) => !isFinal(kind));
    const faults = [
      "internal",
      "origin-unreachable",
      "overloaded",
      "project-readers-full",
      "project-storage-full",
      "readers-full",
      "segment-unavailable",
      "sockets-full",
      "storage-full",
      "storage-unavailable",
      "stream-full",
      "server-busy",
      "unavailable",
    ];
    const patience = ["body-timeout", "project-removing", "rate-limited", "subscription-claimed", "subscription-idle"];
    expect(repeatable.map(([code]) => code)).toEqual([...faults, ...patience].toSorted());
    for (const [code, { status, retry }] of repeatable)
      expect({ server: status >= 500, retry }).toEqual({ server: faults.includes(code), retry: "after" });
  });
});

it("only a token that has expired asks for another one", () => {
  expect(kinds.filter(([, { retry }]) => retry === "with-new-token").map(([code]) => code)).toEqual(["token-expired"]);
});

describe("a refusal carries the headers that clients decide by", () => {
  it("[CL7] the 409 of a closed stream has the closure and the final offset", () => {
    const refusal = refuseClosed({ incarnation: 1, ancestors: [] }, 2);
    expect(kindOf(refusal.problem).status).toBe(409);
    expect(headersOf(refusal)).toEqual({
      "Stream-Closed": "true",
      "Stream-Next-Offset": "0000000000000001_0000000000000002",
    });
  });

  it("[PR8] the 409 of a gap has the expected and the received sequence", () => {
    const refusal = refuseGap(4, 9);
    expect(kindOf(refusal.problem).status).toBe(409);
    expect(headersOf(refusal)).toEqual({ "Producer-Expected-Seq": "4", "Producer-Received-Seq": "9" });
    expect(producerSeqHeaders(4, 9)).toEqual(headersOf(refusal));
  });

  it("[PR4] the 403 of a stale epoch has the current one, and says which to claim", () => {
    const refusal = refuseStaleEpoch(5);
    expect(kindOf(refusal.problem).status).toBe(403);
    expect(headersOf(refusal)).toEqual({ "Producer-Epoch": "5" });
    expect(refusal.problem.hint).toContain("Producer-Epoch 6");
  });

  it("[SC14] the 404 of a stream says how to create it", () => {
    expect(kindOf(refuseNotFound().problem).status).toBe(404);
    expect(refuseNotFound().problem.hint).toContain("PUT");
  });

  it("any other refusal has only the headers that it was given", () => {
    expect(refuse("internal", "why")).toEqual({ ok: false, problem: { code: "internal", detail: "why" } });
  });
});
