/** Prepares streams for scenarios. */

type Headers = Readonly<Record<string, string>>;

/** The offset at the end of a stream. */
export async function createStream(url: string, headers: Headers, body: string | null = null): Promise<string> {
  return (await send(url, "PUT", headers, body)).headers.get("Stream-Next-Offset") ?? "";
}

export async function appendTo(url: string, headers: Headers, body: string): Promise<void> {
  await send(url, "POST", headers, body);
}

/** The size of a stream in bytes. */
export async function tailOf(url: string): Promise<number> {
  const { headers } = await send(url, "HEAD", {});
  return Number(headers.get("Stream-Next-Offset")?.split("_")[1]);
}

export async function postJson(url: string, headers: Headers, json: object): Promise<Readonly<Record<string, string>>> {
  return JSON.parse((await send(url, "POST", headers, JSON.stringify(json))).text) as Record<string, string>;
}

interface Answer {
  readonly headers: Response["headers"];
  readonly text: string;
}

async function send(url: string, method: string, headers: Headers, body: string | null = null): Promise<Answer> {
  const response = await fetch(url, { method, headers, body });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status}`);
  return { headers: response.headers, text };
}
