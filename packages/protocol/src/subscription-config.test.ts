import { describe, expect, it } from "vitest";

import { canonicalConfig, isSubscriptionId, parseStreamNames, parseSubscription } from "./subscription-config.ts";

const WEBHOOK = { type: "webhook", pattern: "events/*", webhook: { url: "https://worker.example/hooks" } };
const PULL = { type: "pull-wake", streams: ["events/a"], wake_stream: "wake/pool" };

function configOf(body: Record<string, unknown>) {
  const parsed = parseSubscription(body);
  if (!parsed.ok) throw new Error(parsed.problem.detail);
  return parsed.config;
}

describe("[SU3] the normal form of a configuration", () => {
  it.each<[string, Record<string, unknown>]>([
    ["the order of streams", { ...WEBHOOK, streams: ["b", "a"] }],
    ["a stream that is named twice", { ...WEBHOOK, streams: ["a", "b", "a"] }],
    ["a leading slash", { ...WEBHOOK, pattern: "/events/*", streams: ["/a", "b"] }],
    ["a default", { ...WEBHOOK, streams: ["a", "b"], lease_ttl_ms: 30_000 }],
    ["what is for the other type", { ...WEBHOOK, streams: ["a", "b"], wake_stream: "x" }],
    ["a member of another extension", { ...WEBHOOK, streams: ["a", "b"], colour: "red" }],
  ])("does not depend on %s", (_what, body) => {
    expect(canonicalConfig(configOf(body))).toBe(canonicalConfig(configOf({ ...WEBHOOK, streams: ["a", "b"] })));
  });

  it.each<[string, Record<string, unknown>]>([
    ["type", { ...PULL, pattern: "events/*", streams: [] }],
    ["pattern", { ...WEBHOOK, pattern: "events/**" }],
    ["streams", { ...WEBHOOK, streams: ["a"] }],
    ["webhook.url", { ...WEBHOOK, webhook: { url: "https://worker.example/other" } }],
    ["lease_ttl_ms", { ...WEBHOOK, lease_ttl_ms: 1_000 }],
    ["description", { ...WEBHOOK, description: "x" }],
    ["dead_letter", { ...WEBHOOK, dead_letter: { stream: "dead", max_attempts: 3 } }],
  ])("depends on %s", (_what, body) => {
    expect(canonicalConfig(configOf(body))).not.toBe(canonicalConfig(configOf(WEBHOOK)));
  });
});

describe("a subscription is refused", () => {
  it.each<[string, Record<string, unknown>]>([
    ["another type", { ...WEBHOOK, type: "push" }],
    ["neither pattern nor streams", { type: "webhook", webhook: WEBHOOK.webhook }],
    ["no streams instead of a pattern", { ...PULL, streams: [] }],
    ["streams that are no list", { ...WEBHOOK, streams: "a" }],
    ["streams that are no texts", { ...WEBHOOK, streams: [1] }],
    ["a stream below __ds", { ...WEBHOOK, streams: ["__ds/x"] }],
    ["a stream that leaves the root", { ...WEBHOOK, streams: ["a/../b"] }],
    ["a pattern below __ds", { ...WEBHOOK, pattern: "__ds/*" }],
    ["a pattern with an empty segment", { ...WEBHOOK, pattern: "a//b" }],
    ["an empty pattern", { ...WEBHOOK, pattern: "" }],
    ["a pattern that is too long", { ...WEBHOOK, pattern: "x".repeat(401) }],
    ["a lease that is too short", { ...WEBHOOK, lease_ttl_ms: 999 }],
    ["a lease that is too long", { ...WEBHOOK, lease_ttl_ms: 600_001 }],
    ["a lease of half a millisecond", { ...WEBHOOK, lease_ttl_ms: 1_000.5 }],
    ["a lease as text", { ...WEBHOOK, lease_ttl_ms: "1000" }],
    ["a webhook without a URL", { ...WEBHOOK, webhook: {} }],
    ["a URL that is too long", { ...WEBHOOK, webhook: { url: `https://x.example/${"x".repeat(2_048)}` } }],
    ["pull-wake without a wake stream", { type: "pull-wake", pattern: "*" }],
    ["the registry as wake stream", { ...PULL, wake_stream: "__registry__" }],
    ["a subscription to its own wake stream", { ...PULL, streams: ["wake/pool"] }],
    ["a description that is too long", { ...WEBHOOK, description: "x".repeat(1_025) }],
    ["a dead-letter stream without a number", { ...WEBHOOK, dead_letter: { stream: "dead" } }],
    ["no attempt at all", { ...WEBHOOK, dead_letter: { stream: "dead", max_attempts: 0 } }],
    ["a dead-letter stream without a name", { ...WEBHOOK, dead_letter: { max_attempts: 1 } }],
    ["more streams than one request names", { ...WEBHOOK, streams: Array.from({ length: 1_001 }, (_, i) => `s${i}`) }],
  ])("[SU4] %s", (_what, body) => {
    const parsed = parseSubscription(body);
    expect(parsed.ok ? parsed.config : parsed.problem.code).toBe("subscription-invalid");
  });

  it.each([1_000, 600_000])("[SU5] but not for a lease of %i ms", (lease) => {
    expect(configOf({ ...WEBHOOK, lease_ttl_ms: lease }).leaseTtlMs).toBe(lease);
  });
});

it("[SU3] names of streams keep their percent signs and are in normal form", () => {
  expect(parseStreamNames(["b%2F", "a/e\u0301"])).toEqual({ ok: true, streams: ["a/\u00e9", "b%2F"] });
});

it.each([
  ["sub-1", true],
  ["a b:c", true],
  ["", false],
  [".", false],
  ["..", false],
  ["a/b", false],
  ["a\u0000b", false],
  ["x".repeat(129), false],
])("whether %j may name a subscription: %s", (id, fit) => {
  expect(isSubscriptionId(id)).toBe(fit);
});
