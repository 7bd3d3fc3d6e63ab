/** A certificate and its key in files, which are read again when they change. */

import { readFileSync, statSync, watch, type FSWatcher } from "node:fs";
import { dirname } from "node:path";
import { createSecureContext } from "node:tls";

/** Where the certificate of a server is. */
export interface TlsOptions {
  /** The path of the certificate, with the chain behind it, in PEM. */
  readonly certPath: string;
  /** The path of its private key in PEM. */
  readonly keyPath: string;
}

/** A certificate and its key, in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Some file systems report no changes, so the files are looked at as well. */
const POLL_MS = 10_000;
/** Programs replace one file after the other. */
const SETTLE_MS = 100;

/**
 * Reads a certificate and its key.
 * @throws Error that says which file cannot be used, and why.
 */
export function readCertificate({ certPath, keyPath }: TlsOptions): Certificate {
  const certificate = { cert: read("certificate", certPath), key: read("key", keyPath) };
  try {
    createSecureContext(certificate);
  } catch (error) {
    throw new Error(
      `The certificate ${certPath} and the key ${keyPath} do not belong together, or one is incomplete.`,
      {
        cause: error,
      },
    );
  }
  return certificate;
}

/** @returns a warning if others than the owner can read the key. */
export function openKeyWarning({ keyPath }: TlsOptions): string | undefined {
  const isOpen = process.platform !== "win32" && (statSync(keyPath).mode & 0o077) !== 0;
  return isOpen ? `Other users can access the key ${keyPath}: restrict it with chmod 600.` : undefined;
}

/** Who is told about changes. */
export interface CertificateEvents {
  onChange(certificate: Certificate): void;
  /** The files have changed and cannot be used. What was read before stays in use. */
  onRefused(error: unknown): void;
}

/**
 * Watches the files, and reports what they hold whenever they have changed.
 * @returns a function that ends this.
 */
export function watchCertificate(options: TlsOptions, events: CertificateEvents): () => void {
  let seen = stampOf(options);
  const look = (): void => {
    const stamp = stampOf(options);
    if (stamp === seen) return;
    seen = stamp;
    try {
      events.onChange(readCertificate(options));
    } catch (error) {
      events.onRefused(error);
    }
  };
  let settling: NodeJS.Timeout | undefined;
  const soon = (): void => {
    clearTimeout(settling);
    settling = setTimeout(look, SETTLE_MS).unref();
  };
  const poll = setInterval(look, POLL_MS).unref();
  // Folders, because files are replaced by others of their name.
  const folders = new Set([options.certPath, options.keyPath].map((path) => dirname(path)));
  const watchers = [...folders].flatMap((folder) => watcherOf(folder, soon));
  return () => {
    clearInterval(poll);
    clearTimeout(settling);
    for (const watcher of watchers) watcher.close();
  };
}

function watcherOf(folder: string, onChange: () => void): FSWatcher[] {
  try {
    // Without it the poll remains.
    return [watch(folder, { persistent: false }, onChange).on("error", () => undefined)];
  } catch {
    return [];
  }
}

function read(kind: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(`The ${kind} ${path} cannot be read.`, { cause: error });
  }
}

/** Changes with the files. */
function stampOf({ certPath, keyPath }: TlsOptions): string {
  return [certPath, keyPath]
    .map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat === undefined ? "" : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
    })
    .join();
}
