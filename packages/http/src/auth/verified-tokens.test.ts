import { DEFAULT_SETTINGS } from "@durable-streams-cloudflare/core/contracts/project-record";
import type { Project } from "@durable-streams-cloudflare/core/project/project";
import { refuse } from "@durable-streams-cloudflare/protocol";
import { beforeEach, expect, it } from "vitest";

import { NOBODY } from "./token.ts";
import { VerifiedTokens } from "./verified-tokens.ts";

let verified: string[] = [];
let nowMs = 0;
let tokens: VerifiedTokens;

function newProject(): Project {
  return {
    record: { ...DEFAULT_SETTINGS, name: "p", createdAtMs: 0, secrets: [], readUrlsFromMs: 0 },
    keys: new Map(),
  };
}

beforeEach(() => {
  verified = [];
  nowMs = 0;
  tokens = new VerifiedTokens(
    async (token) => {
      verified.push(token);
      if (token === "bad") return refuse("unauthenticated", "No.");
      return { ok: true, claims: { isProjectWide: true, rights: [], expiresAtMs: 1_000, by: NOBODY } };
    },
    () => nowMs,
  );
});

it("a token is verified once, and again once it may have expired", async () => {
  const project = newProject();
  for (nowMs = 0; nowMs < 1_000; nowMs += 100) expect((await tokens.verify("a", project)).ok).toBe(true);
  expect(verified).toEqual(["a"]);
  await tokens.verify("a", project);
  expect(verified).toEqual(["a", "a"]);
});

it("a token is verified again when the project was read anew, or is another", async () => {
  await tokens.verify("a", newProject());
  await tokens.verify("a", newProject());
  expect(verified).toEqual(["a", "a"]);
});

it("a token that is refused is never remembered, nor is a long one", async () => {
  const project = newProject();
  for (const token of ["bad", "x".repeat(1_025)]) {
    await tokens.verify(token, project);
    await tokens.verify(token, project);
  }
  expect(verified).toHaveLength(4);
});

it("two thousand tokens are remembered, and the oldest is forgotten then", async () => {
  const project = newProject();
  for (let count = 0; count <= 2_048; count += 1) await tokens.verify(`t${count}`, project);
  verified = [];
  await tokens.verify("t2048", project);
  await tokens.verify("t1", project);
  await tokens.verify("t0", project);
  expect(verified).toEqual(["t0"]);
});
