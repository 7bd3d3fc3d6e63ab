/**
 * The sample for Envoy in packages/proxy/trusted-header, checked as data: what it removes, verifies and sends. Debian has no
 * Envoy, so nothing here runs one.
 */
import { readFileSync } from "node:fs";

import { beforeAll, expect, it } from "vitest";
import { parse } from "yaml";

const SAMPLE = new URL("../../proxy/trusted-header/envoy.yaml.template", import.meta.url);
/** What the server reads, apart from X-JWT-Project, which only servers with several projects need. */
const CLAIMS = {
  "X-JWT-Sub": "sub",
  "X-JWT-Exp": "exp",
  "X-JWT-Scope": "scope",
  "X-JWT-Stream-Id": "stream_id",
  "X-JWT-Rights": "rights",
};

interface Filter {
  readonly name: string;
  readonly typed_config: Readonly<Record<string, unknown>>;
}
interface Manager {
  readonly http_filters: readonly Filter[];
  readonly route_config: {
    readonly request_headers_to_add: readonly unknown[];
    readonly virtual_hosts: readonly [{ readonly routes: readonly { readonly route: object }[] }];
  };
}
interface Sample {
  readonly static_resources: {
    readonly listeners: readonly [
      { readonly filter_chains: readonly [{ readonly filters: readonly [{ readonly typed_config: Manager }] }] },
    ];
    readonly clusters: readonly { readonly name: string }[];
  };
}

let sample: Sample;
let manager: Manager;

beforeAll(() => {
  process.stderr.write("\n!! The sample for Envoy is checked as data only: NO Envoy was run.\n\n");
  const text = readFileSync(SAMPLE, "utf8").replaceAll("${ORIGIN_SECRET}", "secret-of-the-proxy");
  sample = parse(text) as Sample;
  manager = sample.static_resources.listeners[0].filter_chains[0].filters[0].typed_config;
});

it("what clients send of the headers that the server trusts is removed before tokens are verified", () => {
  expect(manager.http_filters.map(({ name }) => name.split(".").at(-1))).toEqual([
    "header_mutation",
    "jwt_authn",
    "router",
  ]);
  const removed = [...Object.keys(CLAIMS), "X-JWT-Project", "Stream-Origin-Secret", "Forwarded", "X-Forwarded-Host"];
  expect(manager.http_filters[0]?.typed_config).toMatchObject({
    mutations: { request_mutations: removed.map((remove) => ({ remove })) },
  });
});

it("every request needs a token of the issuer that expires, and its claims become the headers that the server reads", () => {
  const claim_to_headers = Object.entries(CLAIMS).map(([header_name, claim_name]) => ({ header_name, claim_name }));
  expect(manager.http_filters[1]?.typed_config).toMatchObject({
    bypass_cors_preflight: true,
    providers: { issuer: { require_expiration: true, audiences: ["durable-streams"], claim_to_headers } },
    rules: [{ match: { prefix: "/" }, requires: { provider_name: "issuer" } }],
  });
});

it("the proxy's proof replaces any other, and no response is limited in time", () => {
  expect(manager.route_config.request_headers_to_add).toEqual([
    {
      header: { key: "Stream-Origin-Secret", value: "secret-of-the-proxy" },
      append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
    },
  ]);
  const { routes } = manager.route_config.virtual_hosts[0];
  expect(routes.map(({ route }) => route)).toEqual([{ cluster: "server", timeout: "0s" }]);
  expect(sample.static_resources.clusters.map(({ name }) => name)).toEqual(["server", "issuer"]);
});
