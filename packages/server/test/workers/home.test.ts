/** `/`, for whoever opens the server's address. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";

import { createDurableStreams, type DurableStreamsOptions } from "../../src/index.ts";

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly vars?: Record<string, string>;
  readonly options?: DurableStreamsOptions;
  readonly origin?: string;
}

function home({ method = "GET", headers = {}, vars = {}, options = {}, origin = "https://streams.example" }: Asked) {
  const bindings = { ...env, TENANCY: "path", AUTH_MODE: "none", LOG_LEVEL: "off", ...vars };
  const request = new Request(`${origin}/?x=<script>`, { method, headers });
  return createDurableStreams(options).fetch(request, bindings, createExecutionContext());
}

const BROWSER = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

describe("a browser gets a page", () => {
  it("that says what this is and what to do, and loads and runs nothing", async () => {
    const response = await home({ headers: BROWSER });
    expect(response.status).toBe(200);
    expect(response.headers.get("Content-Type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("Content-Security-Policy")).toMatch(/^default-src 'none';/);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(response.headers.get("Vary")).toContain("Accept");
    const text = await response.text();
    expect(text).toContain("https://streams.example/v1/stream/demo/hello");
    expect(text).toContain("need no token");
    expect(text).not.toMatch(/<script|<link|<img|style=|src=/);
  });

  it.each<[string, Asked, string]>([
    ["a token", { vars: { AUTH_MODE: "project" } }, "Requests need a token of a project"],
    [
      "what its Worker asks for",
      { options: { authorize: () => ({ ok: true, isPublic: false }) } },
      "The Worker that serves this page",
    ],
  ])("that says that one needs %s", async (_, asked, sentence) => {
    const text = await (await home({ ...asked, headers: BROWSER })).text();
    expect(text).toContain(sentence);
    expect(text).toContain("$TOKEN");
  });

  it("in which a host that somebody made up is text", async () => {
    const response = await home({ headers: BROWSER, vars: { PUBLIC_URL: "https://a.example/<b>&" } });
    expect(await response.text()).toContain("https://a.example/&#60;b&#62;&#38;/v1/stream/");
  });

  it("with the path of the one project where there is one", async () => {
    const response = await home({ headers: BROWSER, vars: { TENANCY: "single" } });
    expect(await response.text()).toContain("https://streams.example/v1/stream/hello");
  });
});

it("programs get the same as JSON", async () => {
  for (const headers of [{}, { Accept: "*/*" }, { Accept: "application/json" }]) {
    const response = await home({ headers, vars: { AUTH_MODE: "project" } });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ streams: "/v1/stream/", readiness: "/readyz", needsToken: true });
  }
});

it("HEAD has no body, and nothing else is done here", async () => {
  const head = await home({ method: "HEAD", headers: BROWSER });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  expect((await home({ method: "POST" })).status).toBe(405);
});
