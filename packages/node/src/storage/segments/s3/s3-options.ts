/** The options of cold segments in a bucket, checked. */

import { StorageError } from "../../storage-error.ts";
import { CredentialsFile, fixedCredentials, type S3CredentialsSource } from "./s3-credentials.ts";

/** A bucket of a store that speaks S3, and the credentials for it. */
export interface S3Options {
  readonly bucket: string;
  /** The access key and its secret. They may be left out with `credentialsFile`. */
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
  /** Of temporary credentials. These are not renewed: use `credentialsFile` for that. */
  readonly sessionToken?: string | undefined;
  /**
   * The path of a file with credentials, in place of those above: the section `[default]` of the format that the tools of AWS
   * share. It is read again when it changes, and when the store says that the credentials have expired.
   */
  readonly credentialsFile?: string | undefined;
  /** The URL of the store. By default that of Amazon S3 in the region. */
  readonly endpoint?: string | undefined;
  /** By default `us-east-1`; `auto` on Cloudflare R2. */
  readonly region?: string | undefined;
  /** What the keys of all objects begin with, before a slash. Each data directory needs a prefix of its own. */
  readonly prefix?: string | undefined;
  /** The copy of this data directory whose objects this one takes over. The error of a start that was refused names it. */
  readonly takeOverFrom?: string | undefined;
  /** Whether the bucket is in the path of URLs instead of their host. By default it is. */
  readonly forcePathStyle?: boolean | undefined;
}

/** A bucket as the client needs it. */
export interface S3Settings extends Omit<S3Options, "accessKeyId" | "secretAccessKey" | "sessionToken"> {
  readonly credentials: S3CredentialsSource;
  /** The URL of the bucket, with a slash at its end. */
  readonly bucketUrl: string;
  readonly region: string;
  /** `""`, or with a slash at its end. */
  readonly prefix: string;
}

export const BUCKET_PATTERN = /^[\w][\w.-]{1,62}$/;
/** Parts begin with no dot, because URLs resolve `..`. */
export const PREFIX_PATTERN = /^(?=.{1,128}$)[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/;
export const REGION_PATTERN = /^[a-z0-9-]{1,64}$/;
export const REGION_DEFAULT = "us-east-1";

/**
 * Checks the options, and fills in the defaults.
 * @throws StorageError if an option is invalid.
 */
export function checkedS3(options: S3Options): S3Settings {
  const { bucket, region = REGION_DEFAULT, prefix = "", forcePathStyle = true } = options;
  const endpoint = endpointOf(options.endpoint ?? `https://s3.${region}.amazonaws.com`);
  require("bucket", BUCKET_PATTERN.test(bucket), "set storage.s3_bucket (s3.bucket) to the name of a bucket");
  require("region", REGION_PATTERN.test(region), "set storage.s3_region (s3.region), such as us-east-1 or auto");
  require("prefix", prefix === "" ||
    PREFIX_PATTERN.test(
      prefix,
    ), "use letters, digits, _, - and . for storage.s3_prefix (s3.prefix), with slashes between its parts only");
  const credentials = credentialsOf(options);
  if (!forcePathStyle) endpoint.hostname = `${bucket}.${endpoint.hostname}`;
  const bucketUrl = forcePathStyle ? `${endpoint.origin}/${bucket}/` : `${endpoint.origin}/`;
  const { takeOverFrom } = options;
  return { bucket, credentials, takeOverFrom, region, bucketUrl, prefix: prefix === "" ? "" : `${prefix}/` };
}

function credentialsOf(options: S3Options): S3CredentialsSource {
  const { accessKeyId = "", secretAccessKey = "", sessionToken, credentialsFile } = options;
  if (credentialsFile !== undefined) return new CredentialsFile(credentialsFile);
  const orFile = "or storage.s3_credentials_file (s3.credentialsFile)";
  require("access key id", accessKeyId !== "", `set AWS_ACCESS_KEY_ID in the environment (s3.accessKeyId), ${orFile}`);
  require("secret access key", secretAccessKey !==
    "", `set AWS_SECRET_ACCESS_KEY in the environment (s3.secretAccessKey), ${orFile}`);
  return fixedCredentials({ accessKeyId, secretAccessKey, sessionToken });
}

function endpointOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.pathname === "/" && url.search === "" && url.username === "" && url.hash === "";
  require("endpoint", isPlain &&
    /^https?:$/.test(
      url.protocol,
    ), "set storage.s3_endpoint (s3.endpoint) to a URL without a path or credentials, such as https://minio.internal:9000");
  return new URL(text);
}

function require(what: string, isValid: boolean, fix: string): void {
  if (!isValid) throw new StorageError(`The ${what} of the S3 store of cold segments is missing or invalid.`, { fix });
}
