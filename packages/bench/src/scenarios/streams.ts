/** What scenarios do to streams before they measure. */

type Headers = Readonly<Record<string, string>>;

export async function createStream(url: string, headers: Headers): Promise<void> {
  await send(url, "PUT", headers);
}

export async function appendTo(url: string, headers: Headers, body: string): Promise<void> {
  await send(url, "POST", headers, body);
}

async function send(url: string, method: string, headers: Headers, body: string | null = null): Promise<void> {
  const response = await fetch(url, { method, headers, body });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status}`);
}
