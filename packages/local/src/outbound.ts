/**
 * Guards the requests that the Worker sends out: webhooks, and requests for issuers' key sets. A host name may resolve to any
 * address, which is known only at the time of connecting. So all these requests go through a separate Worker with two
 * networks, in which workerd checks each address when it connects: loopback, if the URL names this machine, and otherwise
 * public addresses only. Whether a URL may name this machine is decided by the server.
 */
import { readFileSync } from "node:fs";

import type { V4WorkerOptions } from "miniflare";

/** Host names in URLs that stand for this machine. Names that DNS resolves to it are not included. */
const LOOPBACK = String.raw`/^(?:localhost|127\.0\.0\.\d{1,3})$/`;

const SCRIPT = `export default {
  fetch(request, { LOOPBACK, WORLD }) {
    return (${LOOPBACK}.test(new URL(request.url).hostname) ? LOOPBACK : WORLD).fetch(request);
  },
};`;

/** A public address behind which Azure serves metadata and DNS to its machines. */
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

/** The additional certificates that Node.js trusts as well. */
function extraCertificates(): string[] {
  const path = process.env["NODE_EXTRA_CA_CERTS"];
  if (path === undefined || path === "") return [];
  try {
    return readFileSync(path, "utf8").match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  } catch {
    return [];
  }
}
