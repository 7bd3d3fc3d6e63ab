/** Certificates for tests, made with openssl. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";

import type { TlsOptions } from "../http/tls/certificate-files.ts";

/** Makes a certificate for localhost that nobody but itself vouches for, in a folder. */
export function makeCertificate(folder: string, name: string): TlsOptions {
  const [certPath, keyPath] = [join(folder, `${name}-cert.pem`), join(folder, `${name}-key.pem`)];
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const { status, stderr } = spawnSync("openssl", ["req", ...kind, ...subject, "-keyout", keyPath, "-out", certPath]);
  if (status !== 0) throw new Error(`openssl failed: ${String(stderr)}`);
  return { certPath, keyPath };
}
