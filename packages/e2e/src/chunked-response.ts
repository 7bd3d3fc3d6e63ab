/** A response as its sender wrote it: chunk by chunk, read only when the test asks for more. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

const CRLF = "\r\n";
const HEAD_END = "\r\n\r\n";

export interface ChunkedResponse {
  readonly status: number;
  /** Each is one chunk of HTTP/1.1. Ends after the last one. */
  readonly chunks: AsyncIterable<Buffer>;
  /** Goes away without a word, as a client does that is killed. */
  destroy(): void;
}

/** Opens a connection of its own for one GET. The kernel's buffers apart, nothing is read ahead. */
export async function openChunked(url: string): Promise<ChunkedResponse> {
  const { hostname, port, host, pathname, search } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  await once(socket, "connect");
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const bytes = new Incoming(socket);
  const head = await bytes.until(HEAD_END);
  if (!/^transfer-encoding: *chunked/im.test(head)) throw new Error(`the response is not chunked:\n${head}`);
  return { status: Number(head.slice(9, 12)), chunks: chunksOf(bytes), destroy: () => void socket.destroy() };
}

async function* chunksOf(bytes: Incoming): AsyncGenerator<Buffer> {
  for (;;) {
    const size = Number.parseInt(await bytes.until(CRLF), 16);
    const chunk = await bytes.take(size);
    await bytes.until(CRLF);
    if (size === 0) break;
    yield chunk;
  }
  bytes.end();
}

class Incoming {
  readonly #socket: Socket;
  readonly #chunks: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#chunks = (socket as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  async until(terminator: string): Promise<string> {
    let end = this.#held.indexOf(terminator);
    for (; end < 0; end = this.#held.indexOf(terminator)) await this.#more();
    const text = this.#held.toString("latin1", 0, end);
    this.#held = this.#held.subarray(end + terminator.length);
    return text;
  }

  async take(size: number): Promise<Buffer> {
    const chunks = [this.#held];
    for (let left = size - this.#held.length; left > 0;) {
      const chunk = await this.#next();
      chunks.push(chunk);
      left -= chunk.length;
    }
    const whole = Buffer.concat(chunks);
    this.#held = whole.subarray(size);
    return whole.subarray(0, size);
  }

  end(): void {
    this.#socket.destroy();
  }

  async #more(): Promise<void> {
    this.#held = Buffer.concat([this.#held, await this.#next()]);
  }

  async #next(): Promise<Buffer> {
    const { done, value } = await this.#chunks.next();
    if (done === true) throw new Error("the connection ended inside the response");
    return value;
  }
}
