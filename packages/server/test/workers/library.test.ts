import { describe, expect, it } from "vitest";

import { ConfigError, refuse, type Authorize, type AuthorizeInput } from "../../src/index.ts";
import { append, newEdge, newStream, problemCode } from "./edge.ts";
import { EventReader } from "./events.ts";

const GRANTED = { ok: true, isPublic: false } as const;
const PRODUCER = { "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": "0" };

const forbidWriting: Authorize = ({ scope }) =>
  scope === "write" ? refuse("forbidden", "Readers may only read.") : GRANTED;

describe("a Worker that mounts the server with its own authorize", () => {
  it("is asked about every request: what is wanted, of which stream", async () => {
    const asked: Omit<AuthorizeInput, "request">[] = [];
    const edge = await newStream({
      authorize: ({ project, stream, scope }) => {
        asked.push({ project, stream, scope });
        return GRANTED;
      },
    });
    await append(edge, "x");
    for (const method of ["GET", "HEAD", "DELETE"]) await edge.fetch("", { method });
    expect(asked.map(({ scope }) => scope)).toEqual(["write", "write", "read", "read", "manage"]);
    expect(new Set(asked.map(({ project }) => project))).toEqual(new Set(["test"]));
  });

  it("may answer later, and its refusal is the response", async () => {
    const headers = { "WWW-Authenticate": "Bearer" };
    const edge = newEdge({ authorize: async () => refuse("unauthenticated", "Who are you?", { headers }) });
    for (const method of ["GET", "PUT", "POST", "DELETE"]) {
      const response = await edge.fetch("", { method });
      expect(response.status).toBe(401);
      expect(response.headers.get("WWW-Authenticate")).toBe("Bearer");
      expect(await response.json()).toMatchObject({ code: "unauthenticated", detail: "Who are you?" });
    }
    expect((await edge.fetch("", { method: "HEAD" })).status).toBe(401);
  });

  it("[PR16] gets 403 through to plain writers, but 401 to producers, who would loop on a 403", async () => {
    const edge = newEdge({ authorize: forbidWriting });
    const plain = await append(edge, "x");
    expect(plain.status).toBe(403);
    expect(await problemCode(plain)).toBe("forbidden");
    const producer = await append(edge, "x", PRODUCER);
    expect(producer.status).toBe(401);
    expect(await producer.json()).toMatchObject({ code: "unauthenticated", detail: "Readers may only read." });
  });

  it("that throws fails the request without saying why", async () => {
    const edge = newEdge({
      authorize: () => {
        throw new Error("secret detail");
      },
    });
    const response = await edge.fetch();
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("secret");
  });

  it("[CA2] decides what shared caches may keep", async () => {
    for (const isPublic of [true, false]) {
      const edge = await newStream({ body: "x", authorize: () => ({ ok: true, isPublic }) });
      const response = await edge.fetch("?offset=-1");
      expect(response.headers.get("Cache-Control")).toContain(isPublic ? "public" : "private");
    }
  });

  it.each([
    { about: "ends while it waits", rightMs: 300 },
    { about: "has ended", rightMs: -1 },
  ])("ends a long-poll when the right to read $about", async ({ rightMs }) => {
    const edge = await newStream({
      vars: { LONG_POLL_TIMEOUT_MS: "25000" },
      authorize: () => ({ ...GRANTED, expiresAtMs: Date.now() + rightMs }),
    });
    const response = await edge.fetch("?live=long-poll&offset=now");
    expect([response.status, response.headers.get("Stream-Up-To-Date")]).toEqual([204, "true"]);
  });

  it("[PJ9] ends an event stream when the right to read ends", async () => {
    const edge = await newStream({
      body: "hello",
      vars: { SSE_SESSION_SECONDS: "3600" },
      authorize: () => ({ ...GRANTED, expiresAtMs: Date.now() + 1_200 }),
    });
    const reader = new EventReader(await edge.fetch("?live=sse&offset=-1"));
    expect(await reader.take(4)).toEqual(["data:hello", "control@5 up-to-date", "problem:token-expired", "end"]);
  });
});

it("without a hook, AUTH_MODE project lets nobody in", async () => {
  const edge = newEdge({ vars: { AUTH_MODE: "project" } });
  expect((await edge.fetch()).status).toBe(401);
});

it("an invalid setting is reported by name, and nothing is served", async () => {
  const edge = newEdge({ vars: { SSE_SESSION_SECONDS: "soon" } });
  await expect(edge.fetch()).rejects.toThrow(ConfigError);
  await expect(edge.fetch()).rejects.toThrow("SSE_SESSION_SECONDS");
});
