/** What `env` and `exports` of "cloudflare:workers" hold in these tests: the bindings of wrangler.toml. */
declare namespace Cloudflare {
  interface GlobalProps {
    mainModule: typeof import("../../src/worker.ts");
    durableNamespaces: "StreamDO" | "ProjectDO" | "SubscriptionDO";
  }
  interface Env {
    SEGMENTS: R2Bucket;
    STREAMS: DurableObjectNamespace<import("../../src/worker.ts").StreamDO>;
    PROJECTS: DurableObjectNamespace<import("../../src/worker.ts").ProjectDO>;
    CONSUMERS: DurableObjectNamespace<import("../../src/worker.ts").ConsumerDO>;
    SUBSCRIPTIONS: DurableObjectNamespace<import("../../src/worker.ts").SubscriptionDO>;
    REGISTRY: KVNamespace;
    RATE_LIMITER: RateLimit;
  }
}
