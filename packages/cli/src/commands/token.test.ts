import { createHmac } from "node:crypto";

import { describe, expect, it } from "vitest";

import { EXIT } from "../failure.ts";
import { errorOf, runCaptured } from "../testing/captured-io.ts";

const SECRET = "a-secret-of-a-project-0123456789";
const env = { DURABLE_STREAMS_SECRET: SECRET };

function claimsOf(token: string): Record<string, unknown> {
  const [header = "", payload = "", signature] = token.trim().split(".");
  expect(createHmac("sha256", SECRET).update(`${header}.${payload}`).digest("base64url")).toBe(signature);
  return JSON.parse(Buffer.from(payload, "base64url").toString()) as Record<string, unknown>;
}

describe("token", () => {
  it("allows reading the project's streams for an hour by default", async () => {
    const { stdout } = await runCaptured(["token", "--project", "demo"], { env });
    const { exp, ...claims } = claimsOf(stdout);
    expect(claims).toEqual({ sub: "demo", scope: "read" });
    expect(Math.abs(Number(exp) - Date.now() / 1000 - 3_600)).toBeLessThan(60);
  });

  it("has the requested scopes, streams and expiry", async () => {
    const argv = [
      "token",
      "--scope",
      "read",
      "write",
      "--stream-prefix",
      "chat/",
      "--expires",
      "2d",
      "--kid",
      "k",
      "--json",
    ];
    const { stdout } = await runCaptured(argv, { env });
    const { token, expiresAt } = JSON.parse(stdout) as { token: string; expiresAt: string };
    expect(claimsOf(token)).toEqual({
      sub: "default",
      scope: "read write",
      stream_id: "chat/*",
      exp: Date.parse(expiresAt) / 1000,
    });
    expect(JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString())).toMatchObject({ kid: "k" });
  });

  it("can have several rights instead of a scope, and names its user", async () => {
    const rights = [
      { streams: "room-*", scope: "read" },
      { session: "alice", scope: "write" },
    ];
    const argv = ["token", "--rights", JSON.stringify(rights), "--user", "alice", "--json"];
    const { stdout } = await runCaptured(argv, { env });
    const result = JSON.parse(stdout) as { token: string };
    expect(result).toMatchObject({ rights, user: "alice", scopes: [], stream: null });
    expect(claimsOf(result.token)).toEqual({ sub: "default", rights, user: "alice", exp: expect.any(Number) });
  });

  it.each([
    ["rights that are not a list", ["--rights", "{}"]],
    ["rights that are not JSON", ["--rights", "room-*"]],
    ["rights that are strings", ["--rights", '["read"]']],
    ["rights together with a scope", ["--rights", "[]", "--scope", "read"]],
    ["rights together with a stream", ["--rights", "[]", "--stream", "a"]],
    ["more than ten years", ["--expires", "3651d"]],
  ])("refuses %s", async (_what, argv) => {
    const ran = await runCaptured(["token", ...argv], { env });
    expect(ran).toMatchObject({ exitCode: EXIT.usage, stdout: "" });
  });

  it.each([
    ["*", "--stream-prefix ''"],
    ["room*", "--stream-prefix room"],
    ["a*b", "--stream-prefix a"],
  ])("is for one stream: a name with a star, %s, is refused with a hint about prefixes", async (name, fix) => {
    const ran = await runCaptured(["token", "--stream", name, "--json"], { env });
    expect(ran).toMatchObject({ exitCode: EXIT.usage, stdout: "" });
    expect(errorOf(ran).fix).toContain(fix);
    const both = await runCaptured(["token", "--stream", "a", "--stream-prefix", "b", "--json"], { env });
    expect(both.exitCode).toBe(EXIT.usage);
    expect((await runCaptured(["token", "--stream-prefix", name, "--json"], { env })).exitCode).toBe(EXIT.usage);
  });

  it("prefers the secret from stdin to that of the environment", async () => {
    const ran = await runCaptured(["token", "--secret-stdin"], {
      env: { DURABLE_STREAMS_SECRET: "another" },
      stdin: `${SECRET}\n`,
    });
    expect(claimsOf(ran.stdout)).toMatchObject({ sub: "default" });
  });

  it.each([[{}], [{ DURABLE_STREAMS_SECRET: "short" }]])("refuses %j, which has no valid secret", async (wrong) => {
    const ran = await runCaptured(["token", "--json"], { env: wrong });
    expect(ran).toMatchObject({ exitCode: EXIT.usage, stdout: "" });
    expect(errorOf(ran).fix).toContain("DURABLE_STREAMS_SECRET");
  });

  it.each(["0s", "1w", "-1", "x", ""])("refuses a lifetime of %j", async (expires) => {
    const ran = await runCaptured(["token", "--expires", expires], { env });
    expect(ran.exitCode).toBe(EXIT.usage);
  });
});
