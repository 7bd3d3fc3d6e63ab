/** Requests as tests write them. Each has a time limit, so that a hanging server fails a test instead of holding it. */

const LIMIT_MS = 30_000;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface RequestParts {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

export const TEXT = { "Content-Type": "text/plain" } as const;
export const JSON_TYPE = { "Content-Type": "application/json" } as const;
export const CLOSE = { "Stream-Closed": "true" } as const;

export async function send(method: string, url: string, { headers = {}, body }: RequestParts = {}): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers,
    body: body ?? null,
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

export function get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return send("GET", url, { headers });
}

/** Creates a stream. @throws Error when that fails. */
export async function create(url: string, parts: RequestParts = { headers: TEXT }): Promise<Answer> {
  const answer = await send("PUT", url, parts);
  if (answer.status !== 201) throw new Error(`PUT ${url} was ${answer.status}: ${answer.text}`);
  return answer;
}

export function append(
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return send("POST", url, { headers: { ...TEXT, ...headers }, body });
}

export function producer(seq: number | string, epoch: number | string = 0, id = "p"): Record<string, string> {
  return { "Producer-Id": id, "Producer-Epoch": String(epoch), "Producer-Seq": String(seq) };
}

/** A header that must be there. */
export function header({ headers }: Pick<Answer, "headers">, name: string): string {
  const value = headers.get(name);
  if (value === null) throw new Error(`the header ${name} is missing`);
  return value;
}

/** Where a response says that the reader stands. */
export function nextOffset(answer: Pick<Answer, "headers">): string {
  return header(answer, "Stream-Next-Offset");
}

/** Where a stream ends. */
export async function tailOf(url: string): Promise<string> {
  return nextOffset(await send("HEAD", url));
}

/** The code of a problem. */
export function codeOf({ text }: Pick<Answer, "text">): unknown {
  return (JSON.parse(text) as { code?: unknown }).code;
}
