/** The credentials for a bucket: fixed ones, or those of a file that somebody else renews. */

import { readFileSync, statSync } from "node:fs";

import { StorageError } from "../../storage-error.ts";

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string | undefined;
}

export interface S3CredentialsSource {
  /** The credentials to sign with. */
  current(): S3Credentials;
  /** Looks for others than the current ones, which the store has refused. @returns whether there are any. */
  renew(): boolean;
}

export function fixedCredentials(credentials: S3Credentials): S3CredentialsSource {
  return { current: () => credentials, renew: () => false };
}

/** A request looks at the file if nobody has for as long. */
const LOOK_MS = 1_000;

/** Credentials in a file of the format that the tools of AWS share, in its section `[default]`. */
export class CredentialsFile implements S3CredentialsSource {
  readonly #path: string;
  #credentials: S3Credentials;
  /** Changes with the file. */
  #version: string;
  #lookedAtMs = performance.now();

  /** @throws StorageError if the file cannot be used. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#version = versionOf(path);
      this.#credentials = parseCredentials(readFileSync(path, "utf8"));
    } catch (error) {
      throw new StorageError(`The credentials in ${path} cannot be used: ${messageOf(error)}`, {
        fix:
          "write aws_access_key_id, aws_secret_access_key and, for temporary ones, aws_session_token into its section " +
          "[default]; or correct storage.s3_credentials_file (s3.credentialsFile)",
        cause: error,
      });
    }
  }

  current(): S3Credentials {
    if (performance.now() - this.#lookedAtMs > LOOK_MS) this.renew();
    return this.#credentials;
  }

  /** While the file is missing or half written, what it had before stays in use. */
  renew(): boolean {
    this.#lookedAtMs = performance.now();
    try {
      const version = versionOf(this.#path);
      if (version === this.#version) return false;
      const before = this.#credentials;
      this.#credentials = parseCredentials(readFileSync(this.#path, "utf8"));
      this.#version = version;
      return JSON.stringify(before) !== JSON.stringify(this.#credentials);
    } catch {
      return false;
    }
  }
}

function versionOf(path: string): string {
  const { mtimeNs, ino, size } = statSync(path, { bigint: true });
  return [mtimeNs, ino, size].join(" ");
}

/** @throws Error if something is missing. It does not show any value. */
function parseCredentials(text: string): S3Credentials {
  let section = "";
  const values = new Map<string, string>();
  for (const line of text.split("\n").map((each) => each.trim())) {
    const [, named] = /^\[\s*(.+?)\s*\]/.exec(line) ?? [];
    if (named !== undefined) section = named;
    const [, key = "", value = ""] = /^([a-z_]+)\s*=\s*([!-~]{1,4096})$/.exec(line) ?? [];
    if (section === "default") values.set(key, value);
  }
  const needed = (key: string): string => {
    const value = values.get(key);
    if (value === undefined) throw new Error(`its section [default] has no valid ${key}.`);
    return value;
  };
  return {
    accessKeyId: needed("aws_access_key_id"),
    secretAccessKey: needed("aws_secret_access_key"),
    sessionToken: values.get("aws_session_token"),
  };
}

function messageOf(error: unknown): string {
  const { message } = error as Error;
  return message.endsWith(".") ? message : `${message}.`;
}
