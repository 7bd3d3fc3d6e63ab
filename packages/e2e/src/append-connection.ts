/** One kept-alive connection that appends as fast as it is answered, with as little work per request as possible. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export class AppendConnection {
  readonly #socket: Socket;
  readonly #path: string;

  static async open(url: string): Promise<AppendConnection> {
    const { hostname, port, pathname } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, "connect");
    // `append`, which waits on the connection, reports that it broke.
    socket.on("error", () => undefined);
    return new AppendConnection(socket, pathname);
  }

  private constructor(socket: Socket, path: string) {
    this.#socket = socket;
    this.#path = path;
  }

  /** @returns the answer's status. */
  async append(text: string): Promise<number> {
    this.send(text);
    const [head] = (await once(this.#socket, "data")) as [Buffer];
    return Number(/^HTTP\/1\.1 (\d{3}) /.exec(head.toString("latin1"))?.[1]);
  }

  /** Appends without waiting for the answer. */
  send(text: string): void {
    const head = `POST ${this.#path} HTTP/1.1\r\nHost: test\r\nContent-Type: text/plain\r\n`;
    this.#socket.write(`${head}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }

  close(): void {
    this.#socket.destroy();
  }
}
