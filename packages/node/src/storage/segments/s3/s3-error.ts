/** What a store that speaks S3 failed with, and which setting is wrong. */

import type { S3Settings } from "./s3-options.ts";
import { textIn } from "./s3-xml.ts";

/** Told apart by what helps: waiting, or an operator. */
export type S3Failure = "unavailable" | "refused";

export class S3Error extends Error {
  override readonly name = "S3Error";
  readonly failure: S3Failure;
  /** What to do, as an instruction. */
  readonly fix: string;
  /** The code of S3, such as `NoSuchKey`; `""` where there is none. */
  readonly code: string;

  constructor(
    message: string,
    { failure, fix, code = "", cause }: { failure: S3Failure; fix: string; code?: string; cause?: unknown },
  ) {
    super(message, { cause });
    this.failure = failure;
    this.fix = fix;
    this.code = code;
  }
}

const ENDPOINT_FIX = "check that the store runs, and that storage.s3_endpoint is its URL";
const SECRET_FIX =
  "correct AWS_SECRET_ACCESS_KEY (storage.s3_secret_access_key): it does not belong to the access key id";
const TOKEN_FIX =
  "set new temporary credentials, with their AWS_SESSION_TOKEN (storage.s3_session_token), or write them into a file that is " +
  "read again (storage.s3_credentials_file)";

const FIXES: Readonly<Record<string, string>> = {
  SignatureDoesNotMatch: SECRET_FIX,
  InvalidAccessKeyId: "correct AWS_ACCESS_KEY_ID (storage.s3_access_key_id): the store does not know it",
  ExpiredToken: TOKEN_FIX,
  InvalidToken: TOKEN_FIX,
  RequestTimeTooSkewed: "set the clock of this machine: it differs from that of the store",
  NoSuchBucket: "create the bucket, or correct storage.s3_bucket and storage.s3_endpoint",
  NotImplemented: "use a store that supports If-None-Match: * on PUT, as Amazon S3, Cloudflare R2 and MinIO do",
};

/** Some answer that they are busy with codes of their own, or with a conflict of two uploads of one key. */
const PASSING: ReadonlySet<number> = new Set([408, 409, 425, 429]);

/** The error of an answer of the store, which is none of those that the caller expects. */
export function errorOfAnswer(status: number, headers: Headers, xml: string, { region }: S3Settings): S3Error {
  const code = textIn(xml, "Code") ?? "";
  const other = headers.get("x-amz-bucket-region") ?? textIn(xml, "Region");
  const message = `The S3 store of cold segments answered ${status}${code === "" ? "" : ` (${code})`}.`;
  const isElsewhere = (status >= 300 && status < 400) || code === "AuthorizationHeaderMalformed";
  if (isElsewhere) {
    const isKnown = other !== null && other !== undefined && other !== region;
    const where = isKnown ? `${other}, where the bucket is` : "the region of the bucket";
    return new S3Error(message, {
      failure: "refused",
      fix: `set storage.s3_region to ${where}; it is ${region}. Also correct storage.s3_endpoint, if it is set`,
      code,
    });
  }
  const isPassing = PASSING.has(status) || (status >= 500 && code !== "NotImplemented");
  if (isPassing) return new S3Error(message, { failure: "unavailable", fix: ENDPOINT_FIX, code });
  return new S3Error(message, { failure: "refused", fix: FIXES[code] ?? fixOf(status), code });
}

function fixOf(status: number): string {
  if (status === 404) return "create the bucket, or correct storage.s3_bucket and storage.s3_endpoint";
  if (status !== 401 && status !== 403) return ENDPOINT_FIX;
  return "let these credentials list the bucket, and get, put and delete its objects below storage.s3_prefix";
}

/** The error of a request that got no answer. */
export function errorOfSilence(error: unknown): S3Error {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const why = cause instanceof Error ? ("code" in cause && String(cause.code)) || cause.message : String(cause);
  return new S3Error(`The S3 store of cold segments cannot be reached: ${why}.`, {
    failure: "unavailable",
    fix: ENDPOINT_FIX,
    cause: error,
  });
}
