import type { Answers } from "./answers.ts";

/** Append-only, as in the server's own wrangler.toml: a migration that has been deployed is never edited. */
const MIGRATIONS: readonly (readonly string[])[] = [["StreamDO"], ["ProjectDO"], ["SubscriptionDO", "EstuaryDO"]];

const OBJECTS = { STREAMS: "StreamDO", PROJECTS: "ProjectDO", SUBSCRIPTIONS: "SubscriptionDO", ESTUARIES: "EstuaryDO" };

/** The Worker's configuration. Names have been checked: none needs quoting. */
export function wranglerToml(answers: Answers, namespaceId: string): string {
  const { name, account, tenancy, bucket, caching, domain } = answers;
  const sections = [
    `name = "${name}"
account_id = "${account}"
main = "src/worker.ts"
compatibility_date = "2026-11-02"
compatibility_flags = ["enable_request_signal"] # a request's signal aborts when its client goes away
keep_names = false # or every function that is made at run time is given its name first
send_metrics = false${domain === null ? "" : `\nroutes = [{ pattern = "${domain}", custom_domain = true }]`}`,
    `# Settings: docs/configuration.md of the server. Secrets are not here: npx wrangler secret put ADMIN_SECRET
[vars]
TENANCY = "${tenancy}"
AUTH_MODE = "project"`,
    ...Object.entries(OBJECTS).map(
      ([binding, className]) => `[[durable_objects.bindings]]\nname = "${binding}"\nclass_name = "${className}"`,
    ),
    `[[kv_namespaces]]\nbinding = "REGISTRY"\nid = "${namespaceId}"`,
    ...(bucket === null ? [] : [`[[r2_buckets]]\nbinding = "SEGMENTS"\nbucket_name = "${bucket}"`]),
    `[[ratelimits]]\nname = "RATE_LIMITER"\nnamespace_id = "4437"\nsimple = { limit = 1_000_000, period = 60 }`,
    ...MIGRATIONS.map(
      (classes, index) =>
        `[[migrations]]\ntag = "v${index + 1}"\nnew_sqlite_classes = [${classes.map((each) => `"${each}"`).join(", ")}]`,
    ),
    ...(caching ? ["# Workers Caching\n[cache]\nenabled = true"] : []),
    "[observability]\nenabled = true",
  ];
  return `${sections.join("\n\n")}\n`;
}
