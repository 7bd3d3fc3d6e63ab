/**
 * What `env` and `exports` of "cloudflare:workers" hold in these tests: the bindings of wrangler.toml, and one of an example of
 * a module.
 */
declare namespace Cloudflare {
  interface GlobalProps {
    mainModule: typeof import("./main.ts");
    durableNamespaces: "StreamDO" | "ProjectDO" | "SubscriptionDO" | "TallyDO";
  }
  interface Env {
    SEGMENTS: R2Bucket;
    STREAMS: DurableObjectNamespace<import("../../src/worker.ts").StreamDO>;
    PROJECTS: DurableObjectNamespace<import("../../src/worker.ts").ProjectDO>;
    CONSUMERS: DurableObjectNamespace<import("../../src/worker.ts").ConsumerDO>;
    SUBSCRIPTIONS: DurableObjectNamespace<import("../../src/worker.ts").SubscriptionDO>;
    TALLIES: DurableObjectNamespace<InstanceType<import("../../src/index.ts").ModuleObjectClass>>;
    REGISTRY: KVNamespace;
    RATE_LIMITER: RateLimit;
  }
}
