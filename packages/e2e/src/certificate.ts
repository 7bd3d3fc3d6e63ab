import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Certificate } from "./recording-origin.ts";

/** A certificate for a name that nobody but itself vouches for. @throws Error when openssl makes none. */
export function selfSigned(name: string, addresses: readonly string[] = []): Certificate {
  const workDir = mkdtempSync(join(tmpdir(), "certificate-"));
  const [key, cert] = [join(workDir, "key.pem"), join(workDir, "cert.pem")];
  const subject = [
    "-subj",
    `/CN=${name}`,
    "-addext",
    `subjectAltName=${[`DNS:${name}`, ...addresses.map((address) => `IP:${address}`)].join()}`,
  ];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  try {
    const { status, stderr } = spawnSync("openssl", ["req", ...kind, ...subject, "-keyout", key, "-out", cert]);
    if (status !== 0) throw new Error(`openssl failed: ${String(stderr)}`);
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
}
