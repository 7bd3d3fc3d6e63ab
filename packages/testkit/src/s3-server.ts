/**
 * A store that speaks S3, as far as the server uses it, in this process and in memory. It is a fake, but a strict one: it
 * verifies signatures with Smithy's implementation, which is not the one that the server signs with, and checksums of bodies;
 * like MinIO it refuses keys with empty parts, parts of dots, and parts above 255 bytes.
 */

import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { SignatureV4 } from "@smithy/signature-v4";

export const S3_CREDENTIALS = { accessKeyId: "AKIDTEST", secretAccessKey: "a-secret-for-tests" };
const REGION = "eu-test-1";
const LIST_MAX = 1_000;

/**
 * What happens to the next request of a method: `lost`, it has its effect, but nothing is answered; `down`, 503; `hung`, it is
 * never answered; `cut`, the body ends early.
 */
export type S3Fault = "cut" | "down" | "hung" | "lost";

export interface S3Server {
  readonly url: string;
  readonly region: string;
  readonly bucket: string;
  readonly objects: Map<string, Buffer>;
  /** Method and status of each answer, in their order. */
  readonly answers: string[];
  /** Session tokens that are no longer valid. */
  readonly expired: Set<string>;
  /** Everything is answered with 503, until it is `false` again. */
  isDown: boolean;
  /** Called when a whole request has arrived. */
  onRequest: () => void;
  /** The next request of that method goes wrong. */
  failNext(method: string, fault: S3Fault): void;
  close(): Promise<void>;
}

/** Starts the store on a free port of this machine. */
export async function startS3Server(): Promise<S3Server> {
  const faults: { readonly method: string; readonly fault: S3Fault }[] = [];
  const state = {
    objects: new Map<string, Buffer>(),
    answers: [] as string[],
    expired: new Set<string>(),
    isDown: false,
    onRequest: (): void => undefined,
    bucket: "cold",
    region: REGION,
  };
  const server = createServer((request, response) => {
    response.on("finish", () => state.answers.push(`${request.method} ${response.statusCode}`));
    void handle(state, takeFault(request), request, response).catch(() => response.destroy());
  });
  function takeFault({ method }: IncomingMessage): S3Fault | undefined {
    const index = faults.findIndex((each) => each.method === method);
    return index < 0 ? undefined : faults.splice(index, 1)[0]?.fault;
  }
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(state, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    failNext: (method: string, fault: S3Fault) => void faults.push({ method, fault }),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  });
}

type State = Pick<S3Server, "bucket" | "expired" | "isDown" | "objects" | "onRequest">;

/** What a request is answered with. */
interface Reply {
  readonly status: number;
  readonly body?: Buffer | string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function handle(
  state: State,
  fault: S3Fault | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  state.onRequest();
  if (fault === "hung") return;
  if (state.isDown || fault === "down") return send(response, failure(503, "ServiceUnavailable"));
  const body = Buffer.concat(chunks);
  const reply = (await refusal(state, request, body)) ?? answer(state, request, body);
  if (fault === "lost") return void response.destroy();
  if (fault !== "cut") return send(response, reply);
  const whole = Buffer.from(reply.body ?? "");
  response.writeHead(reply.status, { ...reply.headers, "Content-Length": whole.length });
  response.write(whole.subarray(0, whole.length / 2), () => response.destroy());
}

function send(response: ServerResponse, { status, body = "", headers = {} }: Reply): void {
  response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(body) }).end(body);
}

function failure(status: number, code: string, more = "", headers: Readonly<Record<string, string>> = {}): Reply {
  return { status, headers, body: `<?xml version="1.0"?><Error><Code>${code}</Code>${more}</Error>` };
}

/** What is wrong with the signature, the checksums or the bucket. */
async function refusal(state: State, request: IncomingMessage, body: Buffer): Promise<Reply | undefined> {
  const { headers } = request;
  if (headers["transfer-encoding"] !== undefined) return failure(411, "MissingContentLength");
  const parsed = /Credential=([^/]+)\/\d+\/([^/]+)\/s3\/aws4_request, SignedHeaders=([\w;-]+), Signature=(\w+)$/.exec(
    headers.authorization ?? "",
  );
  if (parsed === null) return failure(403, "AccessDenied");
  const [, accessKeyId, region, signedHeaders = "", signature] = parsed;
  if (accessKeyId !== S3_CREDENTIALS.accessKeyId) return failure(403, "InvalidAccessKeyId");
  if (state.expired.has(String(headers["x-amz-security-token"]))) return failure(400, "ExpiredToken");
  if (region !== REGION) {
    return failure(301, "PermanentRedirect", "", { "x-amz-bucket-region": REGION, Location: "http://127.0.0.1:1/" });
  }
  if ((await signatureOf(request, signedHeaders.split(";"))) !== signature)
    return failure(403, "SignatureDoesNotMatch");
  const isSigned = headers["x-amz-content-sha256"] === createHash("sha256").update(body).digest("hex");
  if (!isSigned) return failure(400, "XAmzContentSHA256Mismatch");
  const md5 = createHash("md5").update(body).digest("base64");
  if (body.length > 0 && headers["content-md5"] !== md5) return failure(400, "BadDigest");
  const [, bucket] = pathOf(request).split("/");
  return bucket === state.bucket ? undefined : failure(404, "NoSuchBucket");
}

/** The signature that the request should have. */
async function signatureOf(request: IncomingMessage, signed: readonly string[]): Promise<string | undefined> {
  const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
  const headers = Object.fromEntries(signed.map((name) => [name, String(request.headers[name] ?? "")]));
  const date = String(request.headers["x-amz-date"]).replace(/(....)(..)(..T..)(..)/, "$1-$2-$3:$4:");
  const signer = new SignatureV4({
    service: "s3",
    region: REGION,
    credentials: { ...S3_CREDENTIALS, ...sessionOf(headers) },
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  });
  const { headers: expected } = await signer.sign(
    {
      method: request.method ?? "",
      protocol: "http:",
      hostname: url.hostname,
      port: Number(url.port),
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers,
    },
    { signingDate: new Date(date), signableHeaders: new Set(signed) },
  );
  return /Signature=(\w+)$/.exec(expected["authorization"] ?? "")?.[1];
}

function sessionOf(headers: Readonly<Record<string, string>>): { readonly sessionToken?: string } {
  const token = headers["x-amz-security-token"];
  return token === undefined ? {} : { sessionToken: token };
}

/** In the shape that Smithy asks for. */
class Sha256 {
  readonly #hash: ReturnType<typeof createHash>;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    const key = secret instanceof ArrayBuffer ? Buffer.from(secret) : (secret as string | NodeJS.ArrayBufferView);
    this.#hash = secret === undefined ? createHash("sha256") : (createHmac("sha256", key) as never);
  }

  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error("Nobody resets a hash.");
  }
}

function pathOf(request: IncomingMessage): string {
  return decodeURIComponent(new URL(request.url ?? "/", "http://host").pathname);
}

function answer(state: State, request: IncomingMessage, body: Buffer): Reply {
  const { objects } = state;
  const key = pathOf(request).split("/").slice(2).join("/");
  const query = new URL(request.url ?? "/", "http://host").searchParams;
  const parts = key.split("/");
  const isBad = key !== "" && parts.some((part) => /^\.{0,2}$/.test(part) || Buffer.byteLength(part) > 255);
  if (isBad || Buffer.byteLength(key) > 1_024) return failure(400, "XMinioInvalidObjectName");
  if (request.method === "POST" && query.has("delete")) return deleteAll(objects, body.toString());
  if (request.method === "GET") return key === "" ? list(objects, query) : get(objects.get(key), request.headers.range);
  if (request.method !== "PUT" || key === "") return failure(405, "MethodNotAllowed");
  if (request.headers["if-none-match"] === "*" && objects.has(key)) return failure(412, "PreconditionFailed");
  objects.set(key, body);
  return { status: 200 };
}

function deleteAll(objects: Map<string, Buffer>, xml: string): Reply {
  const keys = [...xml.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = ""]) => key);
  if (keys.length === 0 || keys.length > LIST_MAX) return failure(400, "MalformedXML");
  for (const key of keys) objects.delete(key);
  return { status: 200, body: "<DeleteResult/>" };
}

function list(objects: Map<string, Buffer>, query: URLSearchParams): Reply {
  const max = Math.min(Number(query.get("max-keys")), LIST_MAX);
  const keys = [...objects.keys()].filter((key) => key.startsWith(query.get("prefix") ?? "")).toSorted();
  const contents = keys.slice(0, max).map((key) => `<Contents><Key>${key}</Key></Contents>`);
  return { status: 200, body: `<ListBucketResult>${contents.join("")}</ListBucketResult>` };
}

function get(object: Buffer | undefined, range: string | undefined): Reply {
  if (object === undefined) return failure(404, "NoSuchKey");
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  if (from === undefined) return { status: 200, body: object };
  if (Number(from) >= object.length) return failure(416, "InvalidRange");
  return { status: 206, body: object.subarray(Number(from), Number(to) + 1) };
}
