/** A proxy that does what doctor looks for, such as holding responses back until they end. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { onTestFinished } from "vitest";

export interface ProxyFaults {
  /** Sends nothing of a response before its end. */
  readonly buffers?: true;
  /** Claims that what it has seen before came from its cache. */
  readonly caches?: true;
  /** How far its clock is off. */
  readonly skewMs?: number;
}

/** @returns its URL. */
export async function startBadProxy(target: string, { buffers, caches, skewMs = 0 }: ProxyFaults): Promise<string> {
  const seen = new Set<string>();
  const proxy = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const { method = "GET", url = "" } = request;
      const { host: _, connection: __, ...headers } = request.headers as Record<string, string>;
      const body = method === "GET" || method === "HEAD" ? null : Buffer.concat(chunks);
      const answer = await fetch(target + url, { method, headers, body });
      for (const [name, value] of answer.headers) if (name !== "date") response.setHeader(name, value);
      response.setHeader("Date", new Date(Date.now() - skewMs).toUTCString());
      response.statusCode = answer.status;
      if (caches && seen.has(url)) response.setHeader("X-Cache", "HIT");
      seen.add(url);
      if (buffers) return void response.end(Buffer.from(await answer.arrayBuffer()));
      for await (const chunk of answer.body ?? []) response.write(chunk);
      response.end();
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    proxy.close();
    proxy.closeAllConnections();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}
