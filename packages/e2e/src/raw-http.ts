/** HTTP as it is on the wire: paths, header bytes and chunks go out as they are written. */
import { request, type IncomingHttpHeaders } from "node:http";
import { Readable } from "node:stream";

const LIMIT_MS = 30_000;

export interface RawRequest {
  readonly method: string;
  /** Any URL of the server; only its host and port count. */
  readonly server: string;
  /** As it shall stand in the request line. */
  readonly path: string;
  /** Each character is one byte. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Each item is one HTTP chunk, unless there is a Content-Length. */
  readonly chunks?: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export async function sendRaw({ method, server, path, headers = {}, chunks }: RawRequest): Promise<RawAnswer> {
  const { hostname, port } = new URL(server);
  const outgoing = request({ method, hostname, port, path, headers, agent: false, timeout: LIMIT_MS });
  const answered = new Promise<RawAnswer>((resolve, reject) => {
    outgoing.on("timeout", () => outgoing.destroy(new Error("the server was silent for too long")));
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      let text = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (chunk: string) => (text += chunk));
      incoming.on("error", reject);
      incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }));
    });
  });
  if (chunks === undefined) outgoing.end();
  else Readable.from(chunks).pipe(outgoing);
  const answer = await answered;
  outgoing.destroy();
  return answer;
}

/** Text as header bytes: UTF-8. */
export function utf8Header(text: string): string {
  return Buffer.from(text).toString("latin1");
}
