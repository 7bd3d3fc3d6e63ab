/** What scenarios do to streams before they measure. */

type Headers = Readonly<Record<string, string>>;

export async function createStream(url: string, headers: Headers): Promise<void> {
  await send(url, "PUT", headers);
}

export async function appendTo(url: string, headers: Headers, body: string): Promise<void> {
  await send(url, "POST", headers, body);
}

/** How many bytes a stream has. */
export async function tailOf(url: string): Promise<number> {
  const { headers } = await send(url, "HEAD", {});
  return Number(headers.get("Stream-Next-Offset")?.split("_")[1]);
}

async function send(url: string, method: string, headers: Headers, body: string | null = null): Promise<Response> {
  const response = await fetch(url, { method, headers, body });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status}`);
  return response;
}
