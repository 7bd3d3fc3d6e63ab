import { expect, it } from "vitest";

import { flattenSettings, parseSettings } from "./settings.ts";

const SETTINGS = {
  corsOrigins: null,
  publicStreams: ["news/*", "pub"],
  issuer: { jwksUrl: "https://id.example.com/keys", issuer: "https://id.example.com" },
  audience: "app",
  limits: { requestsPerMinute: 600, streams: null },
  defaults: { contentType: "text/plain", ttlSeconds: 90 },
};

it("the settings that show prints can be passed to set", () => {
  const lines = flattenSettings(SETTINGS).map(([name, value]) => `${name}=${value}`);
  expect(lines).toContain("limits.requestsPerMinute=600");
  expect(lines).toContain("publicStreams=news/*,pub");
  expect(parseSettings(lines)).toEqual(SETTINGS);
});

it("an empty list is a list, and durations are seconds", () => {
  expect(parseSettings(["publicStreams=", "defaults.ttlSeconds=2h"])).toEqual({
    publicStreams: [],
    defaults: { ttlSeconds: 7_200 },
  });
});

it.each(["limits", "=1", "a.b.c=1", "defaults.ttlSeconds=soon"])("refuses %s", (text) => {
  expect(() => parseSettings([text])).toThrow(expect.objectContaining({ code: "usage" }));
});
