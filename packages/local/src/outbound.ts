/**
 * What the Worker sends out: webhooks, and requests for issuers' key sets. A name may lead anywhere, and only who connects
 * knows where it does. So all of it goes through a Worker of its own with two networks, of which workerd checks each
 * address when it connects: `localhost`, when a URL names it, and otherwise public addresses alone. Whether this machine may be
 * named is for the server to decide.
 */
import { readFileSync } from "node:fs";

import type { V4WorkerOptions } from "miniflare";

/** Names of this machine in URLs. Names that a DNS server has made of it are not among them. */
const LOOPBACK = String.raw`/^(?:localhost|127\.0\.0\.\d{1,3})$/`;

const SCRIPT = `export default {
  fetch(request, { LOOPBACK, WORLD }) {
    return (${LOOPBACK}.test(new URL(request.url).hostname) ? LOOPBACK : WORLD).fetch(request);
  },
};`;

/** Public, though clouds keep their metadata and name servers there. */
const AZURE_METADATA = "168.63.129.16/32";

export const OUTBOUND_NAME = "outbound";

/** @param addresses the setting `OUTBOUND_ADDRESSES`. */
export function outboundWorker(addresses: "public" | "any"): V4WorkerOptions {
  const tlsOptions = { trustBrowserCas: true, trustedCertificates: extraCertificates() };
  const world =
    addresses === "public" ? { allow: ["public"], deny: [AZURE_METADATA] } : { allow: ["public", "private"], deny: [] };
  return {
    name: OUTBOUND_NAME,
    compatibilityDate: "2026-01-01",
    modules: [{ type: "ESModule", path: "outbound.js", contents: SCRIPT }],
    serviceBindings: {
      LOOPBACK: { network: { allow: ["local"], deny: [], tlsOptions } },
      WORLD: { network: { ...world, tlsOptions } },
    },
  };
}

/** As Node.js takes them. */
function extraCertificates(): string[] {
  const path = process.env["NODE_EXTRA_CA_CERTS"];
  if (path === undefined || path === "") return [];
  try {
    return readFileSync(path, "utf8").match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  } catch {
    return [];
  }
}
