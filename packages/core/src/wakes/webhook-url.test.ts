import { expect, it } from "vitest";

import { refuseWebhookUrl } from "./webhook-url.ts";

it.each([
  ["http://localhost:8787/", "The URL points to this machine.", "WEBHOOK_LOOPBACK"],
  ["http://worker.shop.com/", "The URL does not use HTTPS.", "https://"],
])("%s is refused: %s", (url, detail, hint) => {
  const refused = refuseWebhookUrl(url, { allowsLoopback: false });
  expect(refused).toMatchObject({ problem: { code: "webhook-url-rejected", detail } });
  expect(refused?.problem.hint).toContain(hint);
});

it("a public URL is not refused", () => {
  expect(refuseWebhookUrl("https://worker.shop.com/", { allowsLoopback: false })).toBeUndefined();
});
