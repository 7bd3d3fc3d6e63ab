/** The variables of a Worker that configure the server, under the names that the server on one machine has for them. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";

import { createDurableStreams } from "../../src/index.ts";

afterEach(() => void vi.restoreAllMocks());

function newService(vars: Record<string, string>): (path: string) => Promise<Response> {
  const { AUTH_MODE: _, ...others } = env as typeof env & { readonly AUTH_MODE?: string };
  const server = createDurableStreams();
  const bindings = { ...others, TENANCY: "single", ...vars };
  return (path) => server.fetch(new Request(`https://streams.example${path}`), bindings, createExecutionContext());
}

it("a setting counts under its DS_ name", async () => {
  const fetch = newService({ DS_AUTH__MODE: "none", DS_HTTP__STREAM_BASE_PATH: "/logs" });
  expect(await (await fetch("/")).json()).toMatchObject({ streams: "/logs/", needsToken: false });
});

it("a variable of the server on one machine, or a name that is none, is warned of once, and has no effect", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const fetch = newService({
    DS_AUTH__MODE: "none",
    DS_SERVER__PORT: "4437",
    DS_TLS__CERT_PATH: "x",
    DS_AUHT__MODE: "x",
  });
  for (let count = 0; count < 2; count += 1) expect((await fetch("/healthz")).status).toBe(200);
  const lines = warn.mock.calls.map(([line]) => JSON.parse(String(line)) as object);
  expect(lines).toEqual(
    ["DS_SERVER__PORT", "DS_TLS__CERT_PATH", "DS_AUHT__MODE"].map((name) =>
      expect.objectContaining({
        "log.level": "warn",
        message: `The variable ${name} is not a setting of a Worker, so it has no effect.`,
      }),
    ),
  );
});
