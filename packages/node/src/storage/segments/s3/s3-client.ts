/** Signed requests to one bucket, each with a time limit. What fails in passing is sent again after a growing, random delay. */

import { createHash } from "node:crypto";

import { wait } from "@durable-streams-cloudflare/core/kit/yield";
import { AwsV4Signer } from "aws4fetch";

import { errorOfAnswer, errorOfSilence, S3Error } from "./s3-error.ts";
import type { S3Settings } from "./s3-options.ts";

/** What of a request's body is sent with it, so that the store refuses a damaged one. */
export interface S3Body {
  /** Called for each try. */
  readonly open: () => BodyInit;
  readonly size: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
  /** In Base64. */
  readonly md5: string;
}

export interface S3Request {
  readonly method: "DELETE" | "GET" | "POST" | "PUT";
  /** Of an object; otherwise it is about the bucket. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: S3Body;
  /** Statuses that are no errors, besides 200 to 299. */
  readonly accepts?: readonly number[];
  readonly limits?: S3Limits;
  readonly signal?: AbortSignal;
}

export interface S3Limits {
  readonly tries: number;
  /** Of one try, until the answer begins. */
  readonly timeoutMs: number;
}

const LIMITS: S3Limits = { tries: 4, timeoutMs: 10_000 };
const FIRST_DELAY_MS = 100;
/** A list of a thousand keys is smaller. */
const TEXT_BYTES_MAX = 4 * 1024 * 1024;
const TEXT_MS_MAX = 10_000;
const EMPTY_SHA256 = createHash("sha256").digest("hex");

export class S3Client {
  readonly settings: S3Settings;
  readonly #signingKeys = new Map<string, ArrayBuffer>();

  constructor(settings: S3Settings) {
    this.settings = settings;
  }

  /** @throws S3Error when the store cannot be reached, or answers with a status that is not accepted. */
  async send(request: S3Request): Promise<Response> {
    const { tries, timeoutMs } = request.limits ?? LIMITS;
    let isRenewed = false;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#try(request, timeoutMs);
      } catch (error) {
        request.signal?.throwIfAborted();
        if (!isRenewed && isRefusedKey(error) && this.settings.credentials.renew()) {
          isRenewed = true;
          continue;
        }
        const isPassing = error instanceof S3Error && error.failure === "unavailable";
        if (!isPassing || attempt >= tries) throw error;
      }
      await wait(FIRST_DELAY_MS * 2 ** attempt * (0.5 + Math.random()));
      request.signal?.throwIfAborted();
    }
  }

  async #try(request: S3Request, timeoutMs: number): Promise<Response> {
    const { accepts = [], signal } = request;
    const ended = new AbortController();
    const timer = setTimeout(() => ended.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const end = (): void => ended.abort(signal?.reason);
    signal?.addEventListener("abort", end);
    let response: Response;
    try {
      response = await fetch(await this.#signed(request), { signal: ended.signal });
    } catch (error) {
      throw errorOfSilence(error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
    }
    if (response.ok || accepts.includes(response.status)) return response;
    const xml = await textOf(response).catch(() => "");
    throw errorOfAnswer(response.status, response.headers, xml, this.settings);
  }

  async #signed({ method, key = "", query = {}, headers = {}, body }: S3Request): Promise<Request> {
    const { bucketUrl, region, credentials } = this.settings;
    const { accessKeyId, secretAccessKey, sessionToken } = credentials.current();
    const url = new URL(bucketUrl + key.split("/").map(encodeURIComponent).join("/"));
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      headers: {
        ...headers,
        "X-Amz-Content-Sha256": body?.sha256 ?? EMPTY_SHA256,
        ...(body === undefined ? {} : { "Content-MD5": body.md5, "Content-Length": String(body.size) }),
      },
      service: "s3",
      region,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      cache: this.#keysOfToday(),
    });
    const signed = await signer.sign();
    return new Request(signed.url, {
      method,
      headers: signed.headers,
      // A redirect names another region: the signature is not valid there.
      redirect: "manual",
      ...(body === undefined ? {} : { body: body.open(), duplex: "half" }),
    });
  }

  /** A key is good for a day. */
  #keysOfToday(): Map<string, ArrayBuffer> {
    if (this.#signingKeys.size > 2) this.#signingKeys.clear();
    return this.#signingKeys;
  }
}

/** What new credentials may help against. */
const REFUSED_KEYS: ReadonlySet<string> = new Set([
  "ExpiredToken",
  "InvalidToken",
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
]);

function isRefusedKey(error: unknown): boolean {
  return error instanceof S3Error && REFUSED_KEYS.has(error.code);
}

/** A small text as the body of a request. */
export function textBody(text: string): S3Body {
  return {
    open: () => text,
    size: Buffer.byteLength(text),
    sha256: createHash("sha256").update(text).digest("hex"),
    md5: createHash("md5").update(text).digest("base64"),
  };
}

/**
 * The text of an answer.
 * @throws S3Error when it does not end soon, or is larger than any that is expected.
 */
export async function textOf(response: Response): Promise<string> {
  if (response.body === null) return "";
  const reader = response.body.getReader();
  const timer = setTimeout(() => void reader.cancel().catch(() => undefined), TEXT_MS_MAX);
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      bytes += read.value.length;
      if (bytes > TEXT_BYTES_MAX) throw new Error(`the answer is larger than ${TEXT_BYTES_MAX} bytes`);
      text += decoder.decode(read.value, { stream: true });
    }
    return text;
  } catch (error) {
    throw errorOfSilence(error);
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => undefined);
  }
}
