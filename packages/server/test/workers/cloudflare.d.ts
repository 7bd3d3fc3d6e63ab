/** What `env` and `exports` of "cloudflare:workers" hold in these tests: the bindings of wrangler.toml. */
declare namespace Cloudflare {
  interface GlobalProps {
    mainModule: typeof import("../../src/worker.ts");
    durableNamespaces: "StreamDO";
  }
  interface Env {
    STREAMS: DurableObjectNamespace<import("../../src/worker.ts").StreamDO>;
  }
}
