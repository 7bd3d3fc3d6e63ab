/** A certificate, and the configuration of a server that uses it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { selfSigned } from "./certificate.ts";

export interface TlsFiles {
  readonly certPath: string;
  /** Flags of a server that speaks HTTPS with the certificate. */
  readonly flags: readonly string[];
}

export function tlsFiles(directory: string): TlsFiles {
  const certPath = join(directory, "cert.pem");
  const keyPath = join(directory, "key.pem");
  const configPath = join(directory, "server.toml");
  const { cert, key } = selfSigned("localhost", ["127.0.0.1"]);
  writeFileSync(certPath, cert);
  writeFileSync(keyPath, key, { mode: 0o600 });
  writeFileSync(configPath, `[tls]\ncert_path = '${certPath}'\nkey_path = '${keyPath}'\n`);
  return { certPath, flags: ["--config", configPath] };
}
